// The ranges of all segments up to one, kept beside them: a start scans only the segments after it, and dedupe survives
// the deletion of delivered segments. A checksum guards it; without it the segments that stand are scanned.

import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { parseJson, streamIdSchema } from '@catchment/protocol'
import { asError, writeFileDurably, type Log } from '@catchment/runtime'
import type { RangeTable } from '../decide/ranges.ts'
import { textIfThere } from './text-file.ts'

/** The version of `ranges.json` that this program writes, and the highest that it reads. */
export const snapshotVersionWritten = 1

const offset = z.number().int().nonnegative()
const contentsSchema = z.object({
  version: z.literal(snapshotVersionWritten),
  upTo: offset,
  /** Stream, newest, then from, to, afterCrc of each range. */
  streams: z.array(z.tuple([streamIdSchema, offset, z.array(offset)])),
})
const checksumDigits = 8

/** The version that the text of a snapshot says it has; undefined when the text is damaged. */
export function snapshotVersion(text: string): number | undefined {
  const json = intact(text)
  const digits = json === undefined ? undefined : /"version":(\d+)/.exec(json.slice(0, 100))?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** The table's durable ranges as the bytes of a snapshot that covers the segments up to `upTo`. Synchronous. */
export function encodeSnapshot(table: RangeTable, upTo: number): string {
  const streams: z.infer<typeof contentsSchema>['streams'] = []
  for (const { stream, newest, ranges } of table.snapshot())
    streams.push([stream, newest, ranges.flatMap(({ from, to, afterCrc }) => [from, to, afterCrc])])
  const json = JSON.stringify({ version: snapshotVersionWritten, upTo, streams })
  return `${checksumOf(json)}\n${json}\n`
}

export async function writeSnapshot(path: string, contents: string): Promise<void> {
  await writeFileDurably(path, contents)
}

/** Fills `table`. Returns the last segment that is covered; 0 without a snapshot that can be trusted. */
export async function readSnapshot(path: string, table: RangeTable, log: Log): Promise<number> {
  const text = await textIfThere(path)
  if (text === undefined) return 0
  try {
    const json = intact(text)
    if (json === undefined) throw new Error('its checksum is wrong')
    const { upTo, streams } = parseJson(contentsSchema, json, path)
    for (const [stream, newest, numbers] of streams) table.restore({ stream, newest, ranges: triples(numbers) })
    return upTo
  } catch (thrown) {
    log.error('the snapshot of ranges cannot be used; what was in deleted segments may be taken twice', {
      path,
      reason: asError(thrown).message,
    })
    return 0
  }
}

function triples(numbers: readonly number[]): { from: number; to: number; afterCrc: number }[] {
  return Array.from({ length: Math.floor(numbers.length / 3) }, (_, index) => ({
    from: numbers[3 * index] ?? 0,
    to: numbers[3 * index + 1] ?? 0,
    afterCrc: numbers[3 * index + 2] ?? 0,
  }))
}

/** The JSON in a snapshot's text; undefined unless its checksum holds. */
function intact(text: string): string | undefined {
  const json = text.slice(checksumDigits + 1, -1)
  return text.slice(0, checksumDigits) === checksumOf(json) ? json : undefined
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(checksumDigits, '0')
}
