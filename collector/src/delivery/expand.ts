import { crc32, zstdDecompressSync } from 'node:zlib'

/** What a frame's header says of its raw bytes. */
export interface RawShape {
  readonly codec: 'none' | 'zstd'
  readonly rawBytes: number
  readonly rawCrc: number
}

/** The raw bytes of a payload, never more than its header says. Throws when they are not what the header says. */
export function expand({ codec, rawBytes, rawCrc }: RawShape, payload: Uint8Array): Uint8Array {
  // One piece of output: by default zlib makes many and joins them, which takes three times the memory and the time.
  const sizes = { chunkSize: Math.max(64, rawBytes + 1), maxOutputLength: rawBytes }
  const raw = codec === 'none' ? payload : zstdDecompressSync(payload, sizes)
  if (raw.length !== rawBytes || crc32(raw) !== rawCrc)
    throw new Error(`it holds ${raw.length} bytes that are not those its header names`)
  return raw
}
