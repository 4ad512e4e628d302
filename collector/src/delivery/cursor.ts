// How far the delivery to one sink has come: the truth beside the segments, in `cursors/<sink>.json`.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '@catchment/protocol'
import { asError, makePrivateDirectory, syncDirectory, writeFileDurably, type Log } from '@catchment/runtime'
import { jsonVersions } from '../segments/data-formats.ts'
import { textIfThere } from '../segments/text-file.ts'

const cursorSchema = z.object({ segment: z.number().int().nonnegative(), offset: z.number().int().nonnegative() })
/** Everything before byte `offset` of the segment of this sequence is delivered. */
export type Cursor = z.infer<typeof cursorSchema>

export const firstCursor: Cursor = { segment: 0, offset: 0 }

/** The place of the cursor of one sink, whose name is a part of a file name. */
export function cursorPath(data: string, sink: string): string {
  return join(data, 'cursors', `${sink}.json`)
}

/** The first cursor where there is no file, or none that can be read. */
export async function readCursor(path: string, log: Log): Promise<Cursor> {
  return (await cursorIn(path, log)) ?? firstCursor
}

export async function writeCursor(path: string, { segment, offset }: Cursor): Promise<void> {
  await writeFileDurably(path, `${JSON.stringify({ version: jsonVersions.cursor, segment, offset })}\n`)
}

/** Makes the directory of the cursors where it is missing. */
export async function makeCursorDirectory(data: string): Promise<void> {
  await makePrivateDirectory(join(data, 'cursors'))
}

/**
 * While there was one sink its cursor stood in `cursor.json`: that becomes the cursor of `sink`. The new file is durable
 * before the old one goes, so a crash in between leaves both, and then the new one counts.
 */
export async function adoptFormerCursor(data: string, sink: string, log: Log): Promise<void> {
  const former = join(data, 'cursor.json')
  const path = cursorPath(data, sink)
  const found = await cursorIn(former, log)
  if (found === undefined) return
  await makeCursorDirectory(data)
  if ((await textIfThere(path)) === undefined) await writeCursor(path, found)
  await rm(former)
  await syncDirectory(data)
}

async function cursorIn(path: string, log: Log): Promise<Cursor | undefined> {
  try {
    const text = await textIfThere(path)
    return text === undefined ? undefined : parseJson(cursorSchema, text, path)
  } catch (thrown) {
    log.error('the cursor cannot be read; all that is stored is delivered again, which changes nothing', {
      path,
      reason: asError(thrown).message,
    })
    return undefined
  }
}
