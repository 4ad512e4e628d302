// Files that outlive the process. Directories are 0700, files 0600: what is collected may be secret.

import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** Makes `path` and its parents, readable by their owner alone, and durable. */
export async function makePrivateDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  const above = dirname(resolve(first))
  for (let made = resolve(path); made !== above; made = dirname(made)) await syncDirectory(dirname(made))
}

/** Makes the names in a directory durable: what was created, renamed or deleted in it. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Replaces `path` whole: after a crash at any instant it holds the old bytes or the new ones. One writer of a path at a
 * time: they would share `<path>.tmp`.
 */
export async function writeFileDurably(path: string, bytes: Uint8Array | string | Iterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}
