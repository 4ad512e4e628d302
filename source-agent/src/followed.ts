// One stream as the agent holds it: the file side (where it lies, how far it was read) and the shipping side (the sender's
// state, the frames that are prepared and not yet durable). Frames stay in memory until they are durable, so that a file
// truncated meanwhile takes nothing with it that was read.

import { crc32 } from 'node:zlib'
import { beginSender, recordOf, resumeSender, type Sender } from './decide/sender.ts'
import { headBytesMax, type FileIdentity } from './decide/identity.ts'
import { noMark, type Mark, type StreamRecord } from './checkpoint-record.ts'
import type { HeldFile } from './held-file.ts'
import type { PreparedFrame } from './prepared-frame.ts'
import { seamBytes, seamCrc } from '@catchment/protocol'

/**
 * - `live`: the file lies at the followed path. `rotated`: elsewhere, and may still be written.
 * - `cut`: its file was truncated and holds another generation now. `deleted`: it has no name any more.
 * - `over`: read to its end for good; forgotten as soon as all of it is durable.
 */
export type Standing = 'live' | 'rotated' | 'cut' | 'deleted' | 'over'

export interface Followed {
  stream: string
  /** The path that was followed: what frames are named after. */
  readonly path: string
  readonly group: string
  /** Where the file lies now. */
  at: string
  standing: Standing
  identity: FileIdentity
  file: HeldFile | undefined
  /** What the file is known to hold; never shrinks. */
  sizeBytes: number
  modifiedNs: bigint
  readOffset: number
  /** The at most 64 bytes before `readOffset`, none behind a gap. */
  tail: Buffer
  inHole: boolean
  reading: boolean
  /** A last line without its newline: so many bytes, first seen then. */
  partial: { readonly bytes: number; readonly sinceMs: number } | undefined
  /** The rest of a generation that cannot be read any more: shipped as a gap. */
  lostTo: number | undefined
  /** Where that rest begins, why, and whether a gap over it was sent and never answered. */
  loss: { readonly from: number; readonly why: string; readonly unanswered: boolean } | undefined
  sender: Sender
  mark: Mark
  recording: boolean
  /** Contiguous, from the checkpoint on. */
  frames: PreparedFrame[]
  grewAtMs: number
  lookAtTick: number
  idleLooks: number
}

export function beginFollowed(
  begin: { stream: string; path: string; group: string; at: string; offset: number; nowMs: number },
  identity: FileIdentity,
  file: HeldFile | undefined,
): Followed {
  const { stream, path, group, at, offset, nowMs } = begin
  const tail = file === undefined || offset === 0 ? Buffer.alloc(0) : tailBefore(file, offset)
  return {
    stream,
    path,
    group,
    at,
    standing: at === path ? 'live' : 'rotated',
    identity,
    file,
    sizeBytes: offset,
    modifiedNs: 0n,
    readOffset: offset,
    tail,
    inHole: false,
    reading: false,
    partial: undefined,
    lostTo: undefined,
    loss: undefined,
    sender: beginSender(stream, offset),
    mark: markOf(tail),
    recording: false,
    frames: [],
    grewAtMs: nowMs,
    lookAtTick: 0,
    idleLooks: 0,
  }
}

/** A stream of the checkpoint log, its file found again (or lost: undefined). */
export function resumeFollowed(record: StreamRecord, at: string, file: HeldFile | undefined, nowMs: number): Followed {
  const { stream, path, group, checkpoint, identity } = record
  const begun = beginFollowed({ stream, path, group, at, offset: checkpoint, nowMs }, identity, file)
  const sizeBytes = Math.max(record.sizeBytes, file === undefined ? 0 : Number(file.stat().size))
  const known = { stream, checkpoint, collector: record.collector, doubts: record.doubts }
  const tail = record.mark.bytes === 0 ? Buffer.alloc(0) : begun.tail.subarray(begun.tail.length - record.mark.bytes)
  return { ...begun, tail, mark: record.mark, sender: resumeSender(known, sizeBytes) }
}

export function toRecord(followed: Followed): StreamRecord {
  const { path, at, group, identity, mark, sizeBytes } = followed
  const { stream, checkpoint, collector, doubts } = recordOf(followed.sender)
  return {
    ...{ stream, path, at, group, identity, mark, sizeBytes, checkpoint, doubts: [...doubts] },
    ...(collector !== undefined && { collector }),
  }
}

/** Everything of it is durable, or can never be had. */
export function isDone(followed: Followed): boolean {
  return followed.sender.checkpoint >= followed.sizeBytes && followed.sender.inFlight === undefined
}

/** Which bytes at the head tell who the file is. */
export function headOf(file: HeldFile, bytes = headBytesMax): { headBytes: number; headCrc: number } {
  const head = file.peek(bytes, 0)
  return { headBytes: head.length, headCrc: crc32(head) }
}

export function tailBefore(file: HeldFile, offset: number): Buffer {
  const bytes = Math.min(seamBytes, offset)
  return file.peek(bytes, offset - bytes)
}

export function markOf(tail: Buffer): Mark {
  return tail.length === 0 ? noMark : { bytes: tail.length, crc: seamCrc(tail) }
}
