// A segment: an append-only file of frames as they came, after a header that says whose it is:
//
//   0  magic "CTCS"   4  version u8, three bytes 0   8  sequence u64   16  data id, 32 bytes ASCII   48  zeros
//   60  crc32 of the 60 bytes before      64  the frames
//
// Files are never reused, so a frame's own checksums are enough: no stale frame can be taken for a live one. Magic, version
// and checksum stand at these places in every version, so that a newer one is not mistaken for a damaged one.

import { crc32 } from 'node:zlib'

export const segmentHeaderBytes = 64
const magic = Buffer.from('CTCS')
/** The version that this program writes, and the highest that it reads. */
export const segmentVersionWritten = 1
const name = /^segment-(\d{12})$/

export interface SegmentHeader {
  readonly sequence: number
  readonly dataId: string
}

export function encodeSegmentHeader({ sequence, dataId }: SegmentHeader): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes)
  magic.copy(header)
  header.writeUInt8(segmentVersionWritten, 4)
  header.writeBigUInt64LE(BigInt(sequence), 8)
  header.write(dataId.slice(0, 32), 16, 'ascii')
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60)
  return header
}

/** Undefined for a header that is damaged or of another kind. */
export function decodeSegmentHeader(header: Buffer): SegmentHeader | undefined {
  if (segmentVersion(header) !== segmentVersionWritten) return undefined
  return {
    sequence: Number(header.readBigUInt64LE(8)),
    dataId: header.toString('ascii', 16, 48).replace(/\0+$/, ''),
  }
}

/** The version that a header says it has; undefined for one that is damaged. */
export function segmentVersion(header: Buffer): number | undefined {
  if (header.length < segmentHeaderBytes || magic.compare(header, 0, 4) !== 0) return undefined
  return crc32(header.subarray(0, 60)) === header.readUInt32LE(60) ? header.readUInt8(4) : undefined
}

export function segmentName(sequence: number): string {
  return `segment-${String(sequence).padStart(12, '0')}`
}

/** The sequence in a segment's file name; undefined for any other name. */
export function sequenceOf(fileName: string): number | undefined {
  const digits = name.exec(fileName)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
