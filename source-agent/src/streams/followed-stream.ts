// One stream as the agent holds it: one generation of a file, in two parts with a queue of frames between them.

import type { StreamRecord } from '../data/checkpoint-record.ts'
import type { FileIdentity } from '../decide/identity.ts'
import { FollowedFile, tailBefore } from '../files/followed-file.ts'
import type { HeldFile } from '../files/held-file.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { OutgoingStream } from './outgoing-stream.ts'

export interface FollowedStream {
  readonly file: FollowedFile
  readonly outgoing: OutgoingStream
}

export interface StreamStart {
  readonly stream: string
  readonly path: string
  readonly group: string
  readonly at: string
  readonly offset: number
  readonly nowMs: number
  readonly identity: FileIdentity
  readonly held: HeldFile | undefined
}

/** A new stream, followed from `offset` on. */
export function beginStream(start: StreamStart, memory: MemoryBudget): FollowedStream {
  const { held, offset } = start
  const tail = held === undefined || offset === 0 ? Buffer.alloc(0) : tailBefore(held, offset)
  const file = new FollowedFile({ ...start, tail, sizeBytes: offset })
  return { file, outgoing: OutgoingStream.begin(file, tail, memory) }
}

/** A stream of the checkpoint log, its file found again (or lost: undefined). */
export function resumeStream(
  record: StreamRecord,
  found: { at: string; held: HeldFile | undefined; nowMs: number },
  memory: MemoryBudget,
): FollowedStream {
  const { stream, path, group, checkpoint, identity, mark } = record
  const { at, held, nowMs } = found
  const before = held === undefined || checkpoint === 0 ? Buffer.alloc(0) : tailBefore(held, checkpoint)
  const tail = mark.bytes === 0 ? Buffer.alloc(0) : before.subarray(before.length - mark.bytes)
  const sizeBytes = held === undefined ? record.sizeBytes : Number(held.stat().size)
  const file = new FollowedFile({
    ...{ stream, path, group, at, identity, held, tail, sizeBytes, nowMs },
    offset: checkpoint,
  })
  return { file, outgoing: OutgoingStream.resume(file, record, Math.max(record.sizeBytes, sizeBytes), memory) }
}
