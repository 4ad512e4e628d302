// One line of the checkpoint log: the crc32 of the JSON in eight digits, a space, the JSON. Lines can be read by people,
// and a damaged one costs itself alone.

import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { memberIdSchema, streamIdSchema } from '@catchment/protocol'
import type { Mark } from '../decide/mark.ts'

const offset = z.number().int().nonnegative()

const markSchema: z.ZodType<Mark> = z.object({ bytes: z.number().int().min(0).max(64), crc: offset })

/** Everything an agent must know of a stream after a restart. */
export const streamRecordSchema = z.object({
  stream: streamIdSchema,
  /** The path that was followed, and where the file lies now (after a rotation). */
  path: z.string().min(1),
  at: z.string().min(1),
  group: z.string().min(1),
  identity: z.object({
    device: z.string(),
    inode: z.string(),
    bornNs: z.string(),
    headBytes: offset,
    headCrc: offset,
  }),
  checkpoint: offset,
  mark: markSchema,
  /** What the file is known to hold: what is missing of it after a restart is a loss of a known size. */
  sizeBytes: offset,
  collector: memberIdSchema.optional(),
  /** The unconfirmed ranges. */
  doubts: z.array(z.object({ from: offset, to: offset, at: memberIdSchema })),
})
export type StreamRecord = z.infer<typeof streamRecordSchema>

const lineSchema = z.discriminatedUnion('kind', [
  /** The first line of a log of another format than 1. */
  z.object({ kind: z.literal('format'), version: z.number().int().min(1) }),
  z.object({ kind: z.literal('stream'), record: streamRecordSchema }),
  z.object({
    kind: z.literal('advance'),
    stream: streamIdSchema,
    checkpoint: offset,
    mark: markSchema,
    sizeBytes: offset,
  }),
  z.object({ kind: z.literal('forget'), stream: streamIdSchema }),
])
export type CheckpointLine = z.infer<typeof lineSchema>

export function encodeLine(line: CheckpointLine): string {
  const json = JSON.stringify(line)
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

/** The line without its newline; undefined for anything damaged or unknown. */
export function decodeLine(text: string): CheckpointLine | undefined {
  const json = text.slice(9)
  if (text[8] !== ' ' || crc32(json).toString(16).padStart(8, '0') !== text.slice(0, 8)) return undefined
  try {
    const parsed = lineSchema.safeParse(JSON.parse(json))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined // the checksum is right and the JSON is not: another program's line
  }
}

/** The streams that a log's bytes describe. The last valid line wins; `damaged` counts the lines that were not valid. */
export function replay(bytes: Buffer): { records: Map<string, StreamRecord>; damaged: number } {
  const records = new Map<string, StreamRecord>()
  let damaged = 0
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(10, at)
    const end = newline < 0 ? bytes.length : newline
    const line = end > at ? decodeLine(bytes.toString('utf8', at, end)) : undefined
    if (line !== undefined) apply(records, line)
    else if (end > at) damaged += 1
    at = end + 1
  }
  return { records, damaged }
}

function apply(records: Map<string, StreamRecord>, line: CheckpointLine): void {
  switch (line.kind) {
    case 'format': // refused, if it is newer, before the log is opened
      break
    case 'stream':
      records.set(line.record.stream, line.record)
      break
    case 'advance': {
      const { checkpoint, mark, sizeBytes } = line
      const record = records.get(line.stream)
      if (record !== undefined) records.set(line.stream, { ...record, checkpoint, mark, sizeBytes })
      break
    }
    case 'forget':
      records.delete(line.stream)
  }
}
