import { constants, crc32, zstdCompressSync } from 'node:zlib'
import { countLines } from '../decide/block.ts'
import type { Encoded } from '../streams/prepared-frame.ts'

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
