// Who this collector's disk is: a random data id, made once, and the count of its starts. The tree's fence rests on both.

import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '@catchment/protocol'
import {
  codeOf,
  lockDirectory,
  makePrivateDirectory,
  writeFileDurably,
  type DirectoryLock,
  type Random,
} from '@catchment/runtime'

const identitySchema = z.object({ dataId: z.string().regex(/^[0-9a-f]{32}$/), starts: z.number().int().positive() })

export interface DataDirectory {
  readonly path: string
  readonly dataId: string
  /** This start's number, from 1. */
  readonly starts: number
  /** Random per start. */
  readonly incarnation: string
  readonly lock: DirectoryLock
}

/** Locks the directory, making it where it is missing, and counts the start. Throws CatchmentError `in-use`. */
export async function openDataDirectory(path: string, holder: string, random: Random): Promise<DataDirectory> {
  const lock = await lockDirectory(path, holder)
  try {
    await makePrivateDirectory(join(path, 'segments'))
    const identityPath = join(path, 'identity.json')
    const known = await readIdentity(identityPath)
    const identity = { dataId: known?.dataId ?? hex(random), starts: (known?.starts ?? 0) + 1 }
    await writeFileDurably(identityPath, `${JSON.stringify(identity)}\n`)
    return { path, ...identity, incarnation: hex(random), lock }
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

/** The segments' names in a data directory, oldest first. */
export async function segmentNames(data: string): Promise<string[]> {
  return (await readdir(join(data, 'segments'))).filter((name) => name.startsWith('segment-')).toSorted()
}

async function readIdentity(path: string): Promise<z.infer<typeof identitySchema> | undefined> {
  try {
    return parseJson(identitySchema, await readFile(path, 'utf8'), path)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

function hex(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex')
}
