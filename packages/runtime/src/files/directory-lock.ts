// A directory that one process uses at a time. The lock is the kernel's, taken by SQLite on a database of its own: it
// ends with the process, however that ends, so there are no stale locks. A file beside it says who holds it.

import { accessSync, closeSync, constants, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { asError, CatchmentError, codeOf } from '../errors.ts'
import { makePrivateDirectory, writeFileDurably } from './durable-files.ts'

export interface DirectoryLock {
  release(): void
}

/**
 * Locks `directory`, making it where it is missing. Throws CatchmentError `in-use`, naming the holder, `cannot-use` where
 * it cannot be made or written, or `cannot-lock`.
 */
export async function lockDirectory(directory: string, holder: string): Promise<DirectoryLock> {
  try {
    await makePrivateDirectory(directory)
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (thrown) {
    throw new CatchmentError(
      'cannot-use',
      `cannot use ${directory} (${codeOf(thrown) ?? asError(thrown).message}): name a directory that this user may make and write`,
      { blame: 'operator', cause: thrown },
    )
  }
  const ownerPath = join(directory, 'lock.owner')
  const database = takeLock(join(directory, 'lock'), 0)
  if (database === undefined) {
    const owner = await readFile(ownerPath, 'utf8').catch(() => 'another process')
    throw new CatchmentError(
      'in-use',
      `cannot use ${directory}: it is in use by ${owner.trim()}. Stop it, or name another directory`,
      { blame: 'operator' },
    )
  }
  try {
    await writeFileDurably(ownerPath, `${holder} (pid ${process.pid})\n`)
  } catch (thrown) {
    database.close()
    throw thrown
  }
  return {
    release: () => {
      database.close()
    },
  }
}

/**
 * Runs `work` while no other process holds the lock at `path`. Waits up to `timeoutMs`, then throws `in-use`; the whole
 * process blocks meanwhile, so keep both short. The lock excludes other processes and is not reentrant.
 */
export function withFileLock<T>(path: string, timeoutMs: number, work: () => T): T {
  const database = takeLock(path, timeoutMs)
  if (database === undefined)
    throw new CatchmentError('in-use', `waited ${timeoutMs} ms for the lock ${path}`, {
      blame: 'machine',
      retryable: true,
    })
  try {
    return work()
  } finally {
    database.close()
  }
}

function takeLock(path: string, timeoutMs: number): DatabaseSync | undefined {
  let database: DatabaseSync | undefined
  try {
    closeSync(openSync(path, 'a', 0o600)) // SQLite would make it readable by all
    database = new DatabaseSync(path)
    database.exec(`PRAGMA busy_timeout = ${timeoutMs}; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE`)
    return database
  } catch (thrown) {
    database?.close()
    const { message } = asError(thrown)
    if (/locked/.test(message)) return undefined
    throw new CatchmentError('cannot-lock', `cannot lock ${path}: ${message}`, { blame: 'machine', cause: thrown })
  }
}
