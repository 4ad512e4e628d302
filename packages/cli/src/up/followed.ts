// A first look at what the globs find: what to warn of, and which file a newcomer can try. The agent does the following;
// this never reads a file.

import { constants, type Dirent } from 'node:fs'
import { access, glob } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { realClock, type Clock } from '@catchment/runtime'
import type { FollowedFiles } from '../view/up-view.ts'

/** Past these the look ends: its numbers then say "at least". */
const filesLookedAtMax = 2_000
const lookMsMax = 1_000

/** Looks at the files that `globs` find outside `excluded`, for at most a second. */
export async function lookAt(
  globs: readonly string[],
  excluded: string,
  clock: Clock = realClock,
): Promise<FollowedFiles> {
  const deadlineMs = clock.monotonicMs() + lookMsMax
  const seen = new Set<string>()
  const isEnough = (): boolean => seen.size >= filesLookedAtMax || clock.monotonicMs() > deadlineMs
  const unmatched: string[] = []
  let more = false
  for (const pattern of globs) {
    const before = seen.size
    // A walk is ended by leaving out all that it comes to.
    const leaveOut = (entry: Dirent): boolean => isEnough() || isInside(resolve(entry.parentPath, entry.name), excluded)
    for await (const entry of glob(pattern, { withFileTypes: true, exclude: leaveOut })) {
      const path = resolve(entry.parentPath, entry.name)
      if (entry.isFile() && !isInside(path, excluded)) seen.add(path)
    }
    more ||= isEnough()
    if (seen.size === before && !more) unmatched.push(pattern)
  }
  return { ...(await rights([...seen].toSorted())), files: seen.size, more, unmatched }
}

async function rights(files: readonly string[]): Promise<Pick<FollowedFiles, 'unreadable' | 'writable' | 'any'>> {
  const unreadable: string[] = []
  let writable: string | undefined
  for (const file of files) {
    const readable = await mayAccess(file, constants.R_OK)
    if (!readable) unreadable.push(file)
    else if (writable === undefined && (await mayAccess(file, constants.W_OK))) writable = file
  }
  return { unreadable, writable, any: files.find((file) => !unreadable.includes(file)) }
}

async function mayAccess(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  )
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path)
  return way === '' || (!way.startsWith('..') && !isAbsolute(way))
}

/**
 * A file that does not exist and would be followed by a plain glob such as `/srv/*.log`, in a directory that exists and
 * may be written to; undefined where no glob is that plain.
 */
export async function fileToMake(globs: readonly string[], excluded: string): Promise<string | undefined> {
  for (const pattern of globs) {
    const match = /^((?:\/[^*?[\]{}!()]+)*)\/(?:\*\*\/)?([^/]*)$/.exec(resolve(pattern))
    const [, directory = '/', name = ''] = match ?? []
    if (match === null || !/^[^*?[\]{}!()]*\*?[^*?[\]{}!()]*$/.test(name)) continue
    const file = join(directory, name.replace('*', 'hello'))
    if (!isInside(file, excluded) && (await mayAccess(directory, constants.W_OK))) return file
  }
  return undefined
}
