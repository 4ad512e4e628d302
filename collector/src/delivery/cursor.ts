// How far delivery has come: the truth beside the segments, in `cursor.json`.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '@catchment/protocol'
import { asError, codeOf, writeFileDurably, type Log } from '@catchment/runtime'

const cursorSchema = z.object({ segment: z.number().int().nonnegative(), offset: z.number().int().nonnegative() })
/** Everything before byte `offset` of the segment of this sequence is delivered. */
export type Cursor = z.infer<typeof cursorSchema>

export async function readCursor(data: string, log: Log): Promise<Cursor> {
  const path = join(data, 'cursor.json')
  try {
    return parseJson(cursorSchema, await readFile(path, 'utf8'), path)
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT')
      log.error('the cursor cannot be read; all that is stored is delivered again, which changes nothing', {
        path,
        reason: asError(thrown).message,
      })
    return { segment: 0, offset: 0 }
  }
}

export async function writeCursor(data: string, cursor: Cursor): Promise<void> {
  await writeFileDurably(join(data, 'cursor.json'), `${JSON.stringify(cursor)}\n`)
}
