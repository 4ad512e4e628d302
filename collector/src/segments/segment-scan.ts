// Reads the frames of a segment in order, through one window of bounded memory. What is damaged is reported and stepped over:
//
// - A header whose checksum holds can be trusted for its length: only that frame's payload is lost.
// - A damaged header is stepped over by searching the next magic whose header checksum holds.
// - A frame that passes the end of the region is torn: nothing is searched in it, because the payload of a torn frame may
//   itself hold the bytes of frames: any program may log them.

import {
  decodeFrameHeader,
  frameHeaderBytesMax,
  frameMagic,
  ProtocolError,
  type FrameHeader,
} from '@catchment/protocol'
import type { LogFields } from '@catchment/runtime'
import { crc32 } from 'node:zlib'
import type { Arena } from './arena.ts'
import type { DiskFile } from './disk.ts'

export type ScanItem =
  | {
      readonly kind: 'frame'
      readonly header: FrameHeader
      readonly from: number
      readonly to: number
      /** Its payload; empty unless payloads are read. */
      readonly payload: Buffer
    }
  /** Damaged bytes with valid frames after them. `header`: of the frame whose payload it was, where that is known. */
  | { readonly kind: 'damaged'; readonly from: number; readonly to: number; readonly header: FrameHeader | undefined }
  /** Nothing valid follows. */
  | { readonly kind: 'torn'; readonly from: number; readonly to: number; readonly header: FrameHeader | undefined }

export type DamagedItem = ScanItem & { readonly kind: 'damaged' | 'torn' }

/** The bytes of a stream that a frame holds, for the log. */
export function lostRange(header: FrameHeader): Record<string, string | number> {
  return { stream: header.stream, from: header.start, to: header.start + header.rawBytes, group: header.group }
}

/** What is damaged and what is lost by it, for the log. */
export function damageFields({ from, to, header }: DamagedItem): LogFields {
  return { from, to, lost: header === undefined ? 'not known: the header is corrupt' : lostRange(header) }
}

export interface ScanOptions {
  readonly from: number
  readonly to: number
  /** Read payloads and check them; otherwise they are skipped, unread. */
  readonly payloads: boolean
  /** Where to read to, in memory that is left alone while payloads are in use; fresh memory where it gives none. */
  readonly memory?: Arena
}

const windowBytes = 1024 * 1024
const headerWindowBytes = 16 * 1024

/** The frames between two offsets. At most one `torn` item, the last. */
export async function* scanSegment(file: Pick<DiskFile, 'read'>, options: ScanOptions): AsyncGenerator<ScanItem> {
  const window = new Window(file, options)
  let offset = options.from
  let damagedFrom: number | undefined
  let damagedHeader: FrameHeader | undefined
  while (offset < options.to) {
    const found = await readFrame(window, offset, options)
    if (found.kind === 'frame') {
      if (damagedFrom !== undefined) yield { kind: 'damaged', from: damagedFrom, to: offset, header: damagedHeader }
      damagedFrom = undefined
      yield found
      offset = found.to
      continue
    }
    if (damagedFrom !== undefined && damagedHeader !== undefined) {
      yield { kind: 'damaged', from: damagedFrom, to: offset, header: damagedHeader }
      damagedFrom = undefined
    }
    damagedFrom ??= offset
    damagedHeader = found.header
    if (found.kind === 'passes the end') offset = options.to
    else if (found.kind === 'bad payload') offset = found.to
    else offset = await nextMagic(window, offset + 1, options.to)
  }
  if (damagedFrom !== undefined) yield { kind: 'torn', from: damagedFrom, to: options.to, header: damagedHeader }
}

type ScanStep =
  | (ScanItem & { readonly kind: 'frame' })
  | { readonly kind: 'bad payload'; readonly header: FrameHeader; readonly to: number }
  | { readonly kind: 'passes the end'; readonly header: FrameHeader }
  | { readonly kind: 'bad header'; readonly header: undefined }

async function readFrame(window: Window, offset: number, options: ScanOptions): Promise<ScanStep> {
  const head = await window.at(offset, Math.min(frameHeaderBytesMax, options.to - offset))
  const decoded = headerIn(head)
  if (decoded === undefined) return { kind: 'bad header', header: undefined }
  const { header, payloadOffset, end } = decoded
  const to = offset + end
  if (to > options.to) return { kind: 'passes the end', header }
  if (!options.payloads) return { kind: 'frame', header, from: offset, to, payload: Buffer.alloc(0) }
  const payload = (await window.at(offset, end)).subarray(payloadOffset)
  if (payload.length !== header.encodedBytes || crc32(payload) !== header.encodedCrc)
    return { kind: 'bad payload', header, to }
  return { kind: 'frame', header, from: offset, to, payload }
}

function headerIn(bytes: Buffer): ReturnType<typeof decodeFrameHeader> | undefined {
  try {
    return decodeFrameHeader(bytes, 0)
  } catch (thrown) {
    if (thrown instanceof ProtocolError) return undefined
    throw thrown
  }
}

/** Where the next magic begins, `to` when there is none. */
async function nextMagic(window: Window, from: number, to: number): Promise<number> {
  let offset = from
  while (offset < to) {
    const bytes = await window.at(offset, Math.min(windowBytes, to - offset))
    const found = bytes.indexOf(frameMagic)
    if (found >= 0) return offset + found
    if (offset + bytes.length >= to || bytes.length < frameMagic.length) return to
    offset += bytes.length - (frameMagic.length - 1)
  }
  return to
}

/** The part of the file that is in memory: at least `chunkBytes` ahead of what was asked for. */
class Window {
  readonly #file: Pick<DiskFile, 'read'>
  readonly #end: number
  readonly #chunkBytes: number
  readonly #memory: Arena | undefined
  #bytes: Buffer = Buffer.alloc(0)
  #base = 0

  constructor(file: Pick<DiskFile, 'read'>, { to, payloads, memory }: ScanOptions) {
    this.#file = file
    this.#end = to
    this.#chunkBytes = payloads ? windowBytes : headerWindowBytes
    this.#memory = memory
  }

  /** `bytes` bytes from `offset`; fewer when the file ends. */
  async at(offset: number, bytes: number): Promise<Buffer> {
    const within = offset - this.#base
    if (within < 0 || within + bytes > this.#bytes.length) {
      const wanted = Math.min(this.#end - offset, Math.max(bytes, this.#chunkBytes))
      const buffer = this.#memory?.take(wanted) ?? Buffer.allocUnsafeSlow(wanted) // what was handed out is in use
      this.#bytes = buffer.subarray(0, await this.#file.read(buffer, offset))
      this.#base = offset
      return this.#bytes.subarray(0, bytes)
    }
    return this.#bytes.subarray(within, within + bytes)
  }
}
