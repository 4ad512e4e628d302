// Which formats of the data directory this program reads. A file says its format itself: JSON in a member `version`, the
// checkpoint log in a first line of the kind `format`; without it the format is 1, the only one so far. A newer one is
// refused before anything is written: what this program does not know it would lose.

import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CatchmentError, codeOf } from '@catchment/runtime'
import { decodeLine } from './checkpoint-record.ts'

export const formatVersion = 1

const versionedSchema = z.object({ version: z.number() })
const jsonFiles = ['agent.json', 'assignment.json', 'assigners.json']
/** A format line is short; a first line that is longer is none. */
const firstLineBytesMax = 256

/** Throws when a file in `directory` has a format that is newer than those that this program knows. */
export async function refuseNewerFormats(directory: string): Promise<void> {
  for (const name of jsonFiles) {
    const path = join(directory, name)
    refuseNewer(path, jsonVersion(await readIfThere(path)))
  }
  const path = join(directory, 'checkpoints.log')
  refuseNewer(path, await checkpointLogVersion(path))
}

/** The contents of the file at `path`; undefined where there is none. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

function refuseNewer(path: string, version: number): void {
  if (version <= formatVersion) return
  throw new CatchmentError(
    'newer-format',
    `${path} has format ${version}, and this program reads formats up to ${formatVersion}: ` +
      'start the newer version of catchment-agent that wrote it, or give this one another --data directory',
    { blame: 'operator' },
  )
}

/** 1 as well for a damaged file: its reader decides what to do about that. */
function jsonVersion(bytes: Buffer | undefined): number {
  try {
    const parsed = versionedSchema.safeParse(JSON.parse(bytes?.toString('utf8') ?? 'null'))
    return parsed.success ? parsed.data.version : 1
  } catch {
    return 1 // no JSON
  }
}

async function checkpointLogVersion(path: string): Promise<number> {
  const file = await open(path, 'r').catch((thrown: unknown) => {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  })
  if (file === undefined) return 1
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(firstLineBytesMax), 0, firstLineBytesMax, 0)
    const newline = buffer.subarray(0, bytesRead).indexOf(10)
    const line = newline < 0 ? undefined : decodeLine(buffer.toString('utf8', 0, newline))
    return line?.kind === 'format' ? line.version : 1
  } finally {
    await file.close()
  }
}
