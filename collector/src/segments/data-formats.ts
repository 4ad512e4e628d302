// What stands in a data directory, and in which version. A file that names no version is of version 1. What a newer program
// has written may mean something else than it seems to, so a start looks at all of it before it changes anything.

import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CatchmentError, codeOf } from '@catchment/runtime'
import { segmentHeaderBytes, segmentVersion, segmentVersionWritten, sequenceOf } from './segment-format.ts'
import { snapshotVersion, snapshotVersionWritten } from './range-snapshot.ts'
import { textIfThere } from './text-file.ts'

/** The versions that this program writes into JSON files, and the highest that it reads. */
export const jsonVersions = { identity: 1, assignment: 1, cursor: 1 } as const

const versionedSchema = z.object({ version: z.number().int() })

/** Throws CatchmentError `newer-format` when a file in the data directory is of a version that this program does not know. */
export async function refuseNewerFormats(data: string): Promise<void> {
  refuseNewer(join(data, 'identity.json'), await jsonVersion(join(data, 'identity.json')), jsonVersions.identity)
  refuseNewer(join(data, 'assignment.json'), await jsonVersion(join(data, 'assignment.json')), jsonVersions.assignment)
  const cursors = (await namesIn(join(data, 'cursors'))).filter((name) => name.endsWith('.json'))
  for (const path of [join(data, 'cursor.json'), ...cursors.map((name) => join(data, 'cursors', name))])
    refuseNewer(path, await jsonVersion(path), jsonVersions.cursor)
  const ranges = join(data, 'ranges.json')
  refuseNewer(ranges, snapshotVersion((await textIfThere(ranges)) ?? ''), snapshotVersionWritten)
  const segments = (await namesIn(join(data, 'segments'))).filter((name) => sequenceOf(name) !== undefined)
  for (const path of segments.map((name) => join(data, 'segments', name)))
    refuseNewer(path, segmentVersion(await firstBytes(path, segmentHeaderBytes)), segmentVersionWritten)
}

/** `found` is undefined where no version can be read: what is missing or damaged is its reader's matter. */
function refuseNewer(path: string, found: number | undefined, read: number): void {
  if (found === undefined || found <= read) return
  throw new CatchmentError(
    'newer-format',
    `cannot use ${path}: its format is version ${found}, and this program reads versions up to ${read}. ` +
      `Nothing was changed; start the newer program that wrote it, or use another --data directory`,
    { blame: 'operator' },
  )
}

async function jsonVersion(path: string): Promise<number | undefined> {
  const text = await textIfThere(path)
  if (text === undefined) return undefined
  try {
    return versionedSchema.safeParse(JSON.parse(text)).data?.version
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return []
    throw thrown
  }
}

async function firstBytes(path: string, bytes: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
