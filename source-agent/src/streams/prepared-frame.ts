// A run of whole lines, compressed and ready to travel. What depends on the collector (a new range, unconfirmed ranges to name) is
// written into its header when it leaves.

import { crc32, zstdDecompressSync } from 'node:zlib'
import { frameRawBytesMax, seamBytes, type FrameCodec } from '@catchment/protocol'
import { countLines } from '../decide/block.ts'
import { markAfter, noMark, type Mark } from '../decide/mark.ts'

/** What travels of a run of bytes, and what its frame's header says of them. */
export interface Encoded {
  readonly codec: 'none' | 'zstd'
  /** Memory of its own, none beyond it. */
  readonly payload: Uint8Array<ArrayBuffer>
  /** Newlines. */
  readonly lines: number
  readonly rawCrc: number
}

export interface PreparedFrame {
  readonly from: number
  readonly to: number
  readonly readAt: number
  readonly before: Mark
  readonly after: Mark
  readonly partialLine: boolean
  readonly gap: boolean
  /** Undefined while it is being compressed; only then the codec, the lines and the checksum count. */
  payload: Buffer | undefined
  codec: FrameCodec
  lines: number
  rawCrc: number
  /** What it counts against the memory budget. */
  heldBytes: number
}

/** The frame of `raw`, the bytes at `from`; `tail` are the at most 64 bytes before them. Compression follows. */
export function prepare(
  raw: Buffer,
  place: { from: number; tail: Buffer; partialLine: boolean; readAt: number },
): { frame: PreparedFrame; tail: Buffer } {
  const tail = nextTail(place.tail, raw)
  const frame: PreparedFrame = {
    from: place.from,
    to: place.from + raw.length,
    readAt: place.readAt,
    before: markAfter(place.tail),
    after: markAfter(tail),
    partialLine: place.partialLine,
    gap: false,
    payload: undefined,
    codec: 'none',
    lines: 0,
    rawCrc: 0,
    heldBytes: raw.length,
  }
  return { frame, tail }
}

/** Bytes that cannot be shipped, and why. */
export function prepareGap(
  from: number,
  to: number,
  place: { before: Mark; readAt: number; why: string },
): PreparedFrame {
  const { before, readAt, why } = place
  const fixed = { lines: 0, rawCrc: 0, after: noMark, partialLine: false, gap: true, codec: 'none' as const }
  return { from, to, readAt, before, ...fixed, payload: Buffer.from(why), heldBytes: 0 }
}

/** The frame is ready to travel. */
export function finish(frame: PreparedFrame, { codec, payload, lines, rawCrc }: Encoded): void {
  frame.payload = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
  frame.codec = codec
  frame.lines = lines + (frame.partialLine ? 1 : 0)
  frame.rawCrc = rawCrc
  frame.heldBytes = payload.length
}

/** The part [from, to) of a frame whose payload is there: what a collector holds already is cut off. */
export function cutFrame(frame: PreparedFrame, from: number, to: number): PreparedFrame {
  if (from <= frame.from && to >= frame.to) return frame
  if (frame.gap) return { ...frame, from, to, ...(from > frame.from && { before: noMark }) }
  const { payload } = frame
  if (payload === undefined) throw new Error('a frame is cut only when its payload is there')
  const whole = frame.codec === 'zstd' ? zstdDecompressSync(payload, { maxOutputLength: frameRawBytesMax }) : payload
  const raw = whole.subarray(from - frame.from, to - frame.from)
  const before = from === frame.from ? frame.before : markAfter(whole.subarray(0, from - frame.from))
  const after = to === frame.to ? frame.after : markAfter(whole.subarray(0, to - frame.from))
  const partialLine = to === frame.to ? frame.partialLine : raw.at(-1) !== 10
  const lines = countLines(raw) + (raw.at(-1) === 10 ? 0 : 1)
  return { ...frame, from, to, lines, rawCrc: crc32(raw), before, after, partialLine, codec: 'none', payload: raw }
}

function nextTail(tail: Buffer, raw: Buffer): Buffer {
  if (raw.length >= seamBytes) return Buffer.from(raw.subarray(raw.length - seamBytes))
  const both = Buffer.concat([tail, raw])
  return both.subarray(Math.max(0, both.length - seamBytes))
}
