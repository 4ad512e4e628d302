// Who this collector's disk is: a random data id, made once, and the count of its starts. The tree's fence rests on both.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '@catchment/protocol'
import {
  lockDirectory,
  makePrivateDirectory,
  writeFileDurably,
  type DirectoryLock,
  type Random,
} from '@catchment/runtime'
import { jsonVersions, refuseNewerFormats } from './data-formats.ts'
import { textIfThere } from './text-file.ts'

const identitySchema = z.object({ dataId: z.string().regex(/^[0-9a-f]{32}$/), starts: z.number().int().positive() })

export interface CollectorDirectory {
  readonly path: string
  readonly dataId: string
  /** This start's number, from 1. */
  readonly starts: number
  /** Random per start. */
  readonly incarnation: string
  /** It was started for the first time, and stores nothing. */
  readonly isNew: boolean
  readonly lock: DirectoryLock
}

/**
 * Locks the directory, making it where it is missing, and counts the start. Throws CatchmentError `in-use`; and
 * `newer-format`, with nothing changed, when a newer program has written there.
 */
export async function openDataDirectory(path: string, holder: string, random: Random): Promise<CollectorDirectory> {
  const lock = await lockDirectory(path, holder)
  try {
    await refuseNewerFormats(path)
    await makePrivateDirectory(join(path, 'segments'))
    const identityPath = join(path, 'identity.json')
    const text = await textIfThere(identityPath)
    const known = text === undefined ? undefined : parseJson(identitySchema, text, identityPath)
    const identity = { dataId: known?.dataId ?? hex(random), starts: (known?.starts ?? 0) + 1 }
    await writeFileDurably(identityPath, `${JSON.stringify({ version: jsonVersions.identity, ...identity })}\n`)
    const isNew = identity.starts === 1 && (await segmentNames(path)).length === 0
    return { path, ...identity, incarnation: hex(random), isNew, lock }
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

/** The segments' names in a data directory, oldest first. */
export async function segmentNames(data: string): Promise<string[]> {
  return (await readdir(join(data, 'segments'))).filter((name) => name.startsWith('segment-')).toSorted()
}

function hex(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex')
}
