// Small looks at the file system, made synchronously: a stat costs some microseconds, a round through the thread pool ten times that.

import { readdirSync, statSync, type BigIntStats } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { judge, looksRotated, type FileIdentity, type IdentityVerdict } from '../decide/identity.ts'
import type { Mark } from '../decide/mark.ts'
import { HeldFile } from './held-file.ts'

export interface FoundFile {
  readonly path: string
  readonly stat: BigIntStats
}

/** The regular file at `path`, through symbolic links; undefined for anything else, and for what cannot be looked at. */
export function regularFileAt(path: string): BigIntStats | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    return stat?.isFile() === true ? stat : undefined
  } catch {
    return undefined // no permission on the way, a loop of links: looked at again with the next look
  }
}

export function inodeKey(stat: BigIntStats): string {
  return `${stat.dev}:${stat.ino}`
}

export function whoIs(stat: BigIntStats): { device: string; inode: string; bornNs: string } {
  return { device: String(stat.dev), inode: String(stat.ino), bornNs: String(stat.birthtimeNs) }
}

/** The files beside `path` whose names rotation may have given, oldest first. */
export function rotatedSiblings(path: string): FoundFile[] {
  const directory = dirname(path)
  const name = basename(path)
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch {
    return [] // the directory itself is gone, or closed to us
  }
  const found: FoundFile[] = []
  for (const sibling of names) {
    if (!looksRotated(sibling, name)) continue
    const stat = regularFileAt(join(directory, sibling))
    if (stat !== undefined) found.push({ path: join(directory, sibling), stat })
  }
  return found.sort((a, b) => (a.stat.birthtimeNs < b.stat.birthtimeNs ? -1 : 1))
}

/** The paths that `path` may have had before it was rotated: `app.log.1` → `app.log`, `app`. */
export function namesBeforeRotation(path: string): string[] {
  const name = basename(path)
  const directory = dirname(path)
  const names = new Set<string>()
  for (let at = name.length - 1; at > 0; at -= 1) if ('.-_~'.includes(name[at] ?? '')) names.add(name.slice(0, at))
  const extension = /^(.*?)[.\-_]?\d.*(\.[A-Za-z]+)$/.exec(name)
  if (extension !== null) names.add(`${extension[1] ?? ''}${extension[2] ?? ''}`)
  return [...names].filter((other) => looksRotated(name, other)).map((other) => join(directory, other))
}

/** Is `file` the one of which `offset` bytes were read? */
export function judgeFile(known: FileIdentity, read: { offset: number; mark: Mark }, file: HeldFile): IdentityVerdict {
  const stat = file.stat()
  const head = file.peek(known.headBytes, 0)
  const tail = read.mark.bytes === 0 ? undefined : file.peek(read.mark.bytes, read.offset - read.mark.bytes)
  return judge(known, read.offset, {
    ...whoIs(stat),
    sizeBytes: Number(stat.size),
    headMatches: crc32(head) === known.headCrc && head.length === known.headBytes,
    tailMatches: tail === undefined || crc32(tail) === read.mark.crc,
  })
}

/** The regular file at `path`, held open; undefined when it cannot be. */
export function openQuietly(path: string): HeldFile | undefined {
  try {
    return HeldFile.openRegular(path)
  } catch {
    return undefined // gone meanwhile, or not ours to read
  }
}

/** The file at `path` begins with what is known of `original`'s head, and could be its copy in the making. */
export function beginsLike(path: string, original: { identity: FileIdentity; sizeBytes: number }): boolean {
  const file = openQuietly(path)
  if (file === undefined) return false
  try {
    const bytes = Math.min(original.identity.headBytes, Number(file.stat().size))
    if (Number(file.stat().size) > original.sizeBytes) return false
    if (bytes < original.identity.headBytes) return true
    return crc32(file.peek(bytes, 0)) === original.identity.headCrc
  } finally {
    file.release()
  }
}
