// A run of whole lines, compressed and ready to travel. What depends on the collector (a new range, a doubt to name) is
// written into its header when it leaves.

import { promisify } from 'node:util'
import { constants, crc32, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { frameRawBytesMax, seamBytes, seamCrc, type FrameCodec } from '@catchment/protocol'
import { countLines } from './decide/block.ts'
import { noMark, type Mark } from './checkpoint-record.ts'

export interface PreparedFrame {
  readonly from: number
  readonly to: number
  readonly lines: number
  readonly readAt: number
  readonly rawCrc: number
  readonly before: Mark
  readonly after: Mark
  readonly partialLine: boolean
  readonly gap: boolean
  codec: FrameCodec
  /** Undefined while it is being compressed. */
  payload: Buffer | undefined
  /** What it counts against the memory budget. */
  heldBytes: number
}

/** One piece of output for nearly every block: each piece costs a turn through the pool. */
const chunkSize = 256 * 1024
const options = { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const compressInPool = promisify(zstdCompress)
/** Shorter payloads are compressed at once: the way to the pool and back costs more. */
const poolBytesMin = 32 * 1024
const compressBytesMin = 128
/** Compression that saves less than a tenth does not pay. */
const worthwhile = 0.9

/** The frame of `raw`, the bytes at `from`; `tail` are the at most 64 bytes before them. Compression follows. */
export function prepare(
  raw: Buffer,
  place: { from: number; tail: Buffer; partialLine: boolean; readAt: number },
): { frame: PreparedFrame; tail: Buffer } {
  const tail = nextTail(place.tail, raw)
  const frame: PreparedFrame = {
    from: place.from,
    to: place.from + raw.length,
    lines: countLines(raw) + (place.partialLine ? 1 : 0),
    readAt: place.readAt,
    rawCrc: crc32(raw),
    before: seam(place.tail),
    after: seam(tail),
    partialLine: place.partialLine,
    gap: false,
    codec: 'none',
    payload: undefined,
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

/** The payload for `raw`: compressed where that pays, else a copy. */
export async function compress(raw: Buffer): Promise<{ codec: FrameCodec; payload: Buffer }> {
  if (raw.length >= compressBytesMin) {
    const payload = raw.length < poolBytesMin ? zstdCompressSync(raw, options) : await compressInPool(raw, options)
    if (payload.length < raw.length * worthwhile) return { codec: 'zstd', payload }
  }
  return { codec: 'none', payload: Buffer.from(raw) }
}

/** The part [from, to) of a frame whose payload is there: what a collector holds already is cut off. */
export function cutFrame(frame: PreparedFrame, from: number, to: number): PreparedFrame {
  if (from <= frame.from && to >= frame.to) return frame
  if (frame.gap) return { ...frame, from, to, ...(from > frame.from && { before: noMark }) }
  const payload = frame.payload ?? Buffer.alloc(0)
  const whole = frame.codec === 'zstd' ? zstdDecompressSync(payload, { maxOutputLength: frameRawBytesMax }) : payload
  const raw = whole.subarray(from - frame.from, to - frame.from)
  const before = from === frame.from ? frame.before : seam(whole.subarray(0, from - frame.from))
  const after = to === frame.to ? frame.after : seam(whole.subarray(0, to - frame.from))
  const partialLine = to === frame.to ? frame.partialLine : raw.at(-1) !== 10
  const lines = countLines(raw) + (raw.at(-1) === 10 ? 0 : 1)
  return { ...frame, from, to, lines, rawCrc: crc32(raw), before, after, partialLine, codec: 'none', payload: raw }
}

function nextTail(tail: Buffer, raw: Buffer): Buffer {
  if (raw.length >= seamBytes) return Buffer.from(raw.subarray(raw.length - seamBytes))
  const both = Buffer.concat([tail, raw])
  return both.subarray(Math.max(0, both.length - seamBytes))
}

function seam(bytes: Buffer): Mark {
  return bytes.length === 0 ? noMark : { bytes: Math.min(seamBytes, bytes.length), crc: seamCrc(bytes) }
}
