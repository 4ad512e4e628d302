// A batch: contiguous frames of one stream, from its checkpoint on, that leave together in one request.

import { encodeFrameHeader, framePathBytesMax } from '@catchment/protocol'
import type { NextBatch, SentFrame } from '../decide/sender.ts'
import { unconfirmedIn } from '../decide/unconfirmed.ts'
import type { OutgoingStream } from '../streams/outgoing-stream.ts'
import { cutFrame, type PreparedFrame } from '../streams/prepared-frame.ts'

export interface StreamBatch {
  readonly stream: OutgoingStream
  readonly frames: readonly SentFrame[]
  /** Header, payload, header, payload, … */
  readonly parts: readonly Buffer[]
  readonly wireBytes: number
  readonly rawBytes: number
}

export interface BatchLimits {
  readonly rawBytesMax: number
  readonly wireBytesMax: number
}

/** The frames that are ready from the checkpoint on, within the limits, but at least one. Undefined when there is none. */
export function takeBatch(
  stream: OutgoingStream,
  next: Extract<NextBatch, { type: 'send' }>,
  source: string,
  limits: BatchLimits,
): StreamBatch | undefined {
  const frames: SentFrame[] = []
  const parts: Buffer[] = []
  const end = next.endMax ?? Infinity
  let wireBytes = 0
  let rawBytes = 0
  for (const prepared of stream.queue.frames) {
    const { payload } = prepared
    if (payload === undefined || prepared.from >= end) break
    const length = prepared.gap ? 0 : prepared.to - prepared.from
    if (frames.length > 0 && !fits(limits, rawBytes + length, wireBytes + payload.length)) break
    const from = Math.max(prepared.from, stream.checkpoint)
    const frame = cutFrame(prepared, from, Math.min(end, prepared.to))
    const cutPayload = frame.payload ?? payload
    const header = headerOf(stream, frame, { source, declare: next.declare && frames.length === 0 })
    parts.push(header, cutPayload)
    frames.push({ from: frame.from, to: frame.to })
    wireBytes += header.length + cutPayload.length
    rawBytes += length
  }
  return frames.length === 0 ? undefined : { stream, frames, parts, wireBytes, rawBytes }
}

function fits(limits: BatchLimits, rawBytes: number, wireBytes: number): boolean {
  return rawBytes <= limits.rawBytesMax && wireBytes <= limits.wireBytesMax
}

function headerOf(outgoing: OutgoingStream, frame: PreparedFrame, given: { source: string; declare: boolean }): Buffer {
  const { id: stream, group, path } = outgoing
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
    unconfirmed: unconfirmedIn(outgoing.sender, frame.from, frame.to),
    source: given.source,
    path: shortened(path),
  }
  return encodeFrameHeader(fields, payload ?? Buffer.alloc(0))
}

/** A path that passes the frame's limit keeps its end, which says more. */
function shortened(path: string): string {
  const bytes = Buffer.from(path)
  return bytes.length <= framePathBytesMax
    ? path
    : bytes.subarray(bytes.length - framePathBytesMax + 3).toString('utf8')
}
