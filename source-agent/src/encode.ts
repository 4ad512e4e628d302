import { constants, crc32, zstdCompressSync } from 'node:zlib'
import { countLines } from './decide/block.ts'

/** What travels of a run of bytes, and what its frame's header says of them. */
export interface Encoded {
  readonly codec: 'none' | 'zstd'
  /** Memory of its own, none beyond it. */
  readonly payload: Uint8Array<ArrayBuffer>
  /** Newlines. */
  readonly lines: number
  readonly rawCrc: number
}

const params = { [constants.ZSTD_c_compressionLevel]: 1 }
const compressBytesMin = 128
/** Compression that saves less than a tenth does not pay. */
const worthwhile = 0.9

/** Compresses where that pays, else copies. A Buffer, whose indexOf is many times that of other arrays. */
export function encode(raw: Buffer): Encoded {
  const about = { lines: countLines(raw), rawCrc: crc32(raw) }
  if (raw.length >= compressBytesMin) {
    const payload = zstdCompressSync(raw, { chunkSize: compressedBytesMax(raw.length), params })
    if (payload.length < raw.length * worthwhile) return { codec: 'zstd', payload: new Uint8Array(payload), ...about }
  }
  return { codec: 'none', payload: new Uint8Array(raw), ...about }
}

/** ZSTD_compressBound: with room for the worst case zstd works in one pass, straight from the input. */
function compressedBytesMax(rawBytes: number): number {
  return rawBytes + (rawBytes >>> 8) + 1024
}
