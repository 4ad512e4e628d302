// Walks the directories below the globs. The walk is the truth about which files there are; watchers only say when.

import { readdir, realpath, stat } from 'node:fs/promises'
import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '@catchment/runtime'
import { inodeKey, regularFileAt, type FoundFile } from './file-looks.ts'
import type { Glob } from './globs.ts'

export interface Walk {
  readonly found: readonly FoundFile[]
  /** Directories that were read: what a watcher should watch. */
  readonly directories: readonly string[]
  /** Paths that permission keeps closed. */
  readonly unreadable: readonly string[]
}

export interface WalkOptions {
  readonly globs: readonly Glob[]
  readonly excluded: (path: string) => boolean
  /** Files at these paths are known: they are looked at elsewhere. */
  readonly known: (path: string) => boolean
  /** Aborted, the walk ends where it is. */
  readonly signal: AbortSignal
}

interface WalkInProgress extends WalkOptions {
  readonly found: Map<string, FoundFile>
  readonly directories: string[]
  readonly unreadable: string[]
}

export async function walk(options: WalkOptions): Promise<Walk> {
  const walking: WalkInProgress = { ...options, found: new Map(), directories: [], unreadable: [] }
  for (const glob of options.globs) {
    const real = await realpath(glob.base).catch((thrown: unknown) => {
      if (codeOf(thrown) === 'EACCES') walking.unreadable.push(glob.base)
      return undefined // else not there yet
    })
    if (real !== undefined) await walkDirectory(walking, glob, { path: glob.base, real, depth: 0, above: [] })
  }
  return { ...walking, found: [...walking.found.values()], directories: [...new Set(walking.directories)] }
}

interface WalkedDirectory {
  readonly path: string
  readonly real: string
  readonly depth: number
  /** The real paths above: a symbolic link to one of them is a loop. */
  readonly above: readonly string[]
}

async function walkDirectory(walking: WalkInProgress, glob: Glob, place: WalkedDirectory): Promise<void> {
  if (walking.signal.aborted) return
  if (walking.excluded(place.path) || walking.excluded(place.real) || place.above.includes(place.real)) return
  let entries: Dirent[]
  try {
    entries = await readdir(place.path, { withFileTypes: true })
  } catch (thrown) {
    if (codeOf(thrown) === 'EACCES') walking.unreadable.push(place.path)
    return
  }
  walking.directories.push(place.path)
  for (const entry of entries) {
    const path = join(place.path, entry.name)
    if (entry.isFile()) addFile(walking, glob, { path, real: join(place.real, entry.name) })
    else if (entry.isDirectory()) {
      if (place.depth < glob.depthMax)
        await walkDirectory(walking, glob, below(place, path, join(place.real, entry.name)))
    } else if (entry.isSymbolicLink()) await followLink(walking, glob, { ...place, path })
  }
}

function below(place: WalkedDirectory, path: string, real: string): WalkedDirectory {
  return { path, real, depth: place.depth + 1, above: [...place.above, place.real] }
}

async function followLink(walking: WalkInProgress, glob: Glob, link: WalkedDirectory): Promise<void> {
  const real = await realpath(link.path).catch(() => undefined)
  const target = real === undefined ? undefined : await stat(real).catch(() => undefined)
  if (real === undefined || target === undefined) return // dangling, or a loop
  if (target.isFile()) addFile(walking, glob, { path: link.path, real })
  else if (target.isDirectory() && link.depth < glob.depthMax)
    await walkDirectory(walking, glob, { path: link.path, real, depth: link.depth + 1, above: [...link.above] })
}

function addFile(walking: WalkInProgress, glob: Glob, file: { path: string; real: string }): void {
  const { path, real } = file
  if (walking.known(path) || !glob.matches(path) || walking.excluded(path) || walking.excluded(real)) return
  const stats = regularFileAt(path)
  // Two names of one file: the first is followed.
  if (stats !== undefined && !walking.found.has(inodeKey(stats)))
    walking.found.set(inodeKey(stats), { path, stat: stats })
}
