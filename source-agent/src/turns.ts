// From a stream's prepared frames to the turn that leaves, and from an advanced checkpoint to what is left of them.

import { encodeFrameHeader, framePathBytesMax } from '@catchment/protocol'
import { unconfirmedIn, type NextTurn, type SentFrame } from './decide/sender.ts'
import { markOf, tailBefore, type Followed } from './followed.ts'
import type { HeldFile } from './held-file.ts'
import { cutFrame, type PreparedFrame } from './prepared-frame.ts'

export interface Turn {
  readonly followed: Followed
  readonly frames: readonly SentFrame[]
  /** Header, payload, header, payload, … */
  readonly parts: readonly Buffer[]
  readonly wireBytes: number
  readonly rawBytes: number
}

export interface TurnLimits {
  readonly rawBytesMax: number
  readonly wireBytesMax: number
}

/** The frames that are ready from the checkpoint on, within the limits, but at least one. Undefined when there is none. */
export function takeTurn(
  followed: Followed,
  turn: Extract<NextTurn, { type: 'send' }>,
  source: string,
  limits: TurnLimits,
): Turn | undefined {
  const frames: SentFrame[] = []
  const parts: Buffer[] = []
  const end = turn.endMax ?? Infinity
  let wireBytes = 0
  let rawBytes = 0
  for (const prepared of followed.frames) {
    const { payload } = prepared
    if (payload === undefined || prepared.from >= end) break
    const length = prepared.gap ? 0 : prepared.to - prepared.from
    if (frames.length > 0 && !fits(limits, rawBytes + length, wireBytes + payload.length)) break
    const from = Math.max(prepared.from, followed.sender.checkpoint)
    const frame = cutFrame(prepared, from, Math.min(end, prepared.to))
    const cutPayload = frame.payload ?? payload
    const header = headerOf(followed, frame, { source, declare: turn.declare && frames.length === 0 })
    parts.push(header, cutPayload)
    frames.push({ from: frame.from, to: frame.to })
    wireBytes += header.length + cutPayload.length
    rawBytes += length
  }
  return frames.length === 0 ? undefined : { followed, frames, parts, wireBytes, rawBytes }
}

/** Lets go of what is durable, and goes on behind it where a collector holds more than was read. Returns freed bytes. */
export function dropDurable(followed: Followed, file: HeldFile | undefined): number {
  const { checkpoint } = followed.sender
  let freed = 0
  for (let first = followed.frames[0]; first !== undefined && first.from < checkpoint; first = followed.frames[0]) {
    if (first.payload === undefined && first.to > checkpoint) {
      // Still being compressed: takeTurn() cuts it when it leaves.
      followed.mark = markOf(tailAt(file, checkpoint))
      break
    }
    followed.frames.shift()
    freed += first.heldBytes
    followed.mark = first.after
    if (first.to <= checkpoint) continue
    const rest = cutFrame(first, checkpoint, first.to)
    followed.frames.unshift(rest)
    followed.mark = rest.before
    freed -= first.heldBytes
    break
  }
  if (followed.readOffset >= checkpoint) return freed
  followed.readOffset = checkpoint
  followed.partial = undefined
  followed.tail = tailAt(file, checkpoint)
  followed.mark = markOf(followed.tail)
  return freed
}

/** None where the file can no longer be read. */
function tailAt(file: HeldFile | undefined, offset: number): Buffer {
  return file === undefined ? Buffer.alloc(0) : tailBefore(file, offset)
}

function fits(limits: TurnLimits, rawBytes: number, wireBytes: number): boolean {
  return rawBytes <= limits.rawBytesMax && wireBytes <= limits.wireBytesMax
}

function headerOf(followed: Followed, frame: PreparedFrame, given: { source: string; declare: boolean }): Buffer {
  const { stream, group, path } = followed
  const { payload, codec, lines, partialLine, gap, rawCrc, readAt } = frame
  const fields = {
    ...{ stream, group, codec, lines, partialLine, gap, rawCrc },
    start: frame.from,
    rawBytes: frame.to - frame.from,
    firstReadAt: readAt,
    lastReadAt: readAt,
    beforeCrc: frame.before.crc,
    afterCrc: frame.after.crc,
    newRange: given.declare,
    unconfirmed: unconfirmedIn(followed.sender, frame.from, frame.to),
    source: given.source,
    path: shortened(path),
  }
  return encodeFrameHeader(fields, payload ?? Buffer.alloc(0))
}

/** A path that passes the frame's limit keeps its end, which tells more. */
function shortened(path: string): string {
  const bytes = Buffer.from(path)
  return bytes.length <= framePathBytesMax
    ? path
    : bytes.subarray(bytes.length - framePathBytesMax + 3).toString('utf8')
}
