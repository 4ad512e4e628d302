// The frame: the unit that travels and is stored. A header and a compressed run of whole lines of one stream. A collector
// checks and stores it unchanged; only delivery decompresses it.
//
//   0  magic "CTCF"            36  raw length u64 (of a gap: its length)    84  group length u16
//   4  version u8              44  encoded length u32                       86  source length u16
//   5  codec u8                48  lines u32                                88  path length u16
//   6  flags u8                52  first read at u64, ms since 1970         90  length of the unconfirmed ranges u16
//   7  reserved u8, 0          60  last read at u64                         92  group, source, path (UTF-8), and per
//   8  header length u32       68  crc32 of the raw bytes u32                   unconfirmed range: from u64, to u64,
//  12  stream, 16 bytes        72  crc32 of the encoded bytes u32               length u8 and id of the collector
//  28  start u64               76  crc32 of the ≤ 64 bytes before start     end - 4  crc32 of all of the header before
//                              80  crc32 of the ≤ 64 bytes before the end   then the payload
//
// All numbers are little-endian. Offsets count raw bytes of the stream; the bytes before an offset are those of the stream,
// whichever frames they travelled in.

import { crc32 } from 'node:zlib'
import { ProtocolError } from './errors.ts'
import { groupNameBytesMax, isGroupName, isMemberId, isStreamId, memberIdBytesMax, streamIdBytes } from './ids.ts'

export const frameMagic = Buffer.from('CTCF')
export const frameVersion = 1
export const frameRawBytesMax = 8 * 1024 * 1024
/** What zstd or gzip may add to incompressible bytes fits easily. */
export const frameEncodedBytesMax = frameRawBytesMax + 64 * 1024
export const framePathBytesMax = 4096
export const gapReasonBytesMax = 1024
/** How many bytes before a frame, and at its end, its checks cover. */
export const seamBytes = 64

/** How many collectors a frame can name that may hold some of its bytes. */
export const unconfirmedMax = 16

const fixedBytes = 92
const lengthsOffset = 84
const unconfirmedFixedBytes = 17
const checksumBytes = 4
export const frameHeaderBytesMax =
  fixedBytes +
  groupNameBytesMax +
  memberIdBytesMax +
  framePathBytesMax +
  unconfirmedMax * (unconfirmedFixedBytes + memberIdBytesMax) +
  checksumBytes

const codecs = ['none', 'zstd'] as const
export type FrameCodec = (typeof codecs)[number]

const flagNewRange = 1
const flagPartialLine = 2
const flagGap = 4
const flagsKnown = flagNewRange | flagPartialLine | flagGap

/** Bytes of this very frame that were sent to another collector too and never answered: it may hold them as well. */
export interface Unconfirmed {
  readonly from: number
  readonly to: number
  readonly at: string
}

export interface FrameHeader {
  /** 32 hexadecimal digits. */
  readonly stream: string
  /** Offset of the first raw byte. */
  readonly start: number
  /** How many bytes of the stream the frame covers: raw bytes, or the length of the gap. */
  readonly rawBytes: number
  readonly encodedBytes: number
  readonly codec: FrameCodec
  readonly lines: number
  readonly firstReadAt: number
  readonly lastReadAt: number
  /** crc32 of the raw bytes; of a gap: 0. */
  readonly rawCrc: number
  /** crc32 of the payload as it travels. */
  readonly encodedCrc: number
  /** crc32 of the at most 64 stream bytes before `start`; 0 at the start of a stream and after a gap. */
  readonly beforeCrc: number
  /** crc32 of the at most 64 stream bytes before the frame's end: the next one's `beforeCrc`; of a gap: 0. */
  readonly afterCrc: number
  /** Sent on the first frame to a collector after a move, a restart or a rewind: it may begin a range of its own. */
  readonly newRange: boolean
  /** The payload does not end with a newline and its last line goes on in the next frame. */
  readonly partialLine: boolean
  /** The payload is not log data but the reason (UTF-8) why `rawBytes` bytes could not be shipped. */
  readonly gap: boolean
  /** At most `unconfirmedMax`. */
  readonly unconfirmed: readonly Unconfirmed[]
  readonly group: string
  readonly source: string
  /** The path of the followed file on its source. */
  readonly path: string
}

/** Everything of a header that the encoder does not derive from the payload. */
export type FrameFields = Omit<FrameHeader, 'encodedBytes' | 'encodedCrc'>

export interface DecodedFrame {
  readonly header: FrameHeader
  /** Where the frame begins, its payload begins, and it ends, in the buffer that was decoded. */
  readonly offset: number
  readonly payloadOffset: number
  readonly end: number
}

/** The header's bytes, the checksum of `payload` included. Throws ProtocolError when a field breaks its limit. */
export function encodeFrameHeader(fields: FrameFields, payload: Uint8Array): Buffer {
  const texts = [
    ...[fields.group, fields.source, fields.path].map((text) => Buffer.from(text)),
    encodeUnconfirmed(fields),
  ]
  const headerBytes = texts.reduce((sum, text) => sum + text.length, fixedBytes + checksumBytes)
  if (headerBytes > frameHeaderBytesMax)
    throw new ProtocolError(
      'bad-length',
      `a frame's header has at most ${frameHeaderBytesMax} bytes, not ${headerBytes}`,
    )
  if (!isStreamId(fields.stream))
    throw new ProtocolError('bad-value', `a stream's id is 32 hexadecimal digits, not "${fields.stream}"`)
  const header = Buffer.alloc(headerBytes)
  frameMagic.copy(header)
  header.writeUInt8(frameVersion, 4)
  header.writeUInt8(codecs.indexOf(fields.codec), 5)
  header.writeUInt8(flagsOf(fields), 6)
  header.writeUInt32LE(headerBytes, 8)
  header.write(fields.stream, 12, streamIdBytes, 'hex')
  writeU64(header, fields.start, 28)
  writeU64(header, fields.rawBytes, 36)
  header.writeUInt32LE(payload.length, 44)
  writeU32(header, fields.lines, 48)
  writeU64(header, fields.firstReadAt, 52)
  writeU64(header, fields.lastReadAt, 60)
  writeU32(header, fields.rawCrc, 68)
  header.writeUInt32LE(crc32(payload), 72)
  writeU32(header, fields.beforeCrc, 76)
  writeU32(header, fields.afterCrc, 80)
  let at = fixedBytes
  for (const [index, text] of texts.entries()) {
    header.writeUInt16LE(text.length, lengthsOffset + 2 * index)
    at += text.copy(header, at)
  }
  header.writeUInt32LE(crc32(header.subarray(0, at)), at)
  decodeFrameHeader(header, 0)
  return header
}

/**
 * The header at `offset`. `end` may lie past the buffer: the payload is not looked at, see `decodeFrame`.
 * Throws ProtocolError; `truncated` means that more bytes may make it whole.
 */
export function decodeFrameHeader(buffer: Buffer, offset: number): DecodedFrame {
  const available = buffer.length - offset
  if (!startsLikeMagic(buffer, offset)) throw new ProtocolError('bad-magic', `no frame begins at byte ${offset}`)
  if (available < fixedBytes)
    throw new ProtocolError('truncated', `a frame's header has ${fixedBytes} bytes or more, ${available} are here`)
  const version = buffer.readUInt8(offset + 4)
  if (version !== frameVersion)
    throw new ProtocolError('bad-version', `frame version ${version}, this program knows ${frameVersion}`)
  const headerBytes = buffer.readUInt32LE(offset + 8)
  const textBytes = [0, 1, 2, 3].map((index) => buffer.readUInt16LE(offset + lengthsOffset + 2 * index))
  const expected = textBytes.reduce((sum, bytes) => sum + bytes, fixedBytes + checksumBytes)
  if (headerBytes !== expected || headerBytes > frameHeaderBytesMax)
    throw new ProtocolError(
      'bad-length',
      `a frame's header says ${headerBytes} bytes, its texts make it ${expected}, the limit is ${frameHeaderBytesMax}`,
    )
  if (available < headerBytes)
    throw new ProtocolError('truncated', `a frame's header of ${headerBytes} bytes, ${available} are here`)
  const checksumAt = offset + headerBytes - checksumBytes
  if (crc32(buffer.subarray(offset, checksumAt)) !== buffer.readUInt32LE(checksumAt))
    throw new ProtocolError('bad-checksum', `the checksum of the frame's header at byte ${offset} is wrong`)
  const header = readFields(buffer, offset, textBytes)
  const payloadOffset = offset + headerBytes
  return { header, offset, payloadOffset, end: payloadOffset + header.encodedBytes }
}

/** The whole frame at `offset`, its payload's checksum verified. Throws ProtocolError as `decodeFrameHeader` does. */
export function decodeFrame(buffer: Buffer, offset: number): DecodedFrame {
  const frame = decodeFrameHeader(buffer, offset)
  if (buffer.length < frame.end)
    throw new ProtocolError('truncated', `a frame of ${frame.end - offset} bytes, ${buffer.length - offset} are here`)
  if (crc32(buffer.subarray(frame.payloadOffset, frame.end)) !== frame.header.encodedCrc)
    throw new ProtocolError(
      'bad-checksum',
      `the checksum of the frame's payload at byte ${frame.payloadOffset} is wrong`,
    )
  return frame
}

/** crc32 of the last at most 64 of `bytes`, which are the stream's up to some offset. 0 for no bytes. */
export function seamCrc(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : crc32(bytes.subarray(Math.max(0, bytes.length - seamBytes)))
}

function startsLikeMagic(buffer: Buffer, offset: number): boolean {
  const bytes = Math.min(frameMagic.length, buffer.length - offset)
  return bytes >= 0 && frameMagic.compare(buffer, offset, offset + bytes, 0, bytes) === 0
}

function readFields(buffer: Buffer, offset: number, textBytes: readonly number[]): FrameHeader {
  const codec = codecs[buffer.readUInt8(offset + 5)]
  const flags = buffer.readUInt8(offset + 6)
  const texts: string[] = []
  let at = offset + fixedBytes
  for (const bytes of textBytes.slice(0, 3)) texts.push(buffer.toString('utf8', at, (at += bytes)))
  const [group = '', source = '', path = ''] = texts
  if (codec === undefined) throw new ProtocolError('bad-value', `codec ${buffer.readUInt8(offset + 5)} is not known`)
  if ((flags & ~flagsKnown) !== 0 || buffer.readUInt8(offset + 7) !== 0)
    throw new ProtocolError('bad-value', `flags ${flags} are not known`)
  const header: FrameHeader = {
    stream: buffer.toString('hex', offset + 12, offset + 12 + streamIdBytes),
    start: readU64(buffer, offset + 28),
    rawBytes: readU64(buffer, offset + 36),
    encodedBytes: buffer.readUInt32LE(offset + 44),
    codec,
    lines: buffer.readUInt32LE(offset + 48),
    firstReadAt: readU64(buffer, offset + 52),
    lastReadAt: readU64(buffer, offset + 60),
    rawCrc: buffer.readUInt32LE(offset + 68),
    encodedCrc: buffer.readUInt32LE(offset + 72),
    beforeCrc: buffer.readUInt32LE(offset + 76),
    afterCrc: buffer.readUInt32LE(offset + 80),
    newRange: (flags & flagNewRange) !== 0,
    partialLine: (flags & flagPartialLine) !== 0,
    gap: (flags & flagGap) !== 0,
    unconfirmed: decodeUnconfirmed(buffer, at, at + (textBytes[3] ?? 0)),
    group,
    source,
    path,
  }
  checkFields(header)
  return header
}

function checkFields(header: FrameHeader): void {
  checkLengths(header)
  if (!isGroupName(header.group)) throw new ProtocolError('bad-value', `"${header.group}" is not a group's name`)
  if (!isMemberId(header.source)) throw new ProtocolError('bad-value', `"${header.source}" is not a source's id`)
  if (header.unconfirmed.length > unconfirmedMax)
    throw new ProtocolError('bad-length', `a frame names at most ${unconfirmedMax} unconfirmed ranges`)
  for (const { from, to, at } of header.unconfirmed)
    if (from >= to || from < header.start || to > header.start + header.rawBytes || !isMemberId(at))
      throw new ProtocolError('bad-value', `an unconfirmed range of this frame from ${from} to ${to} at "${at}"`)
}

function encodeUnconfirmed({ unconfirmed }: FrameFields): Buffer {
  return Buffer.concat(
    unconfirmed.map(({ from, to, at }) => {
      const id = Buffer.from(at)
      if (id.length > memberIdBytesMax) throw new ProtocolError('bad-value', `"${at}" is not a collector's id`)
      const fixed = Buffer.alloc(unconfirmedFixedBytes)
      writeU64(fixed, from, 0)
      writeU64(fixed, to, 8)
      fixed.writeUInt8(id.length, 16)
      return Buffer.concat([fixed, id])
    }),
  )
}

function decodeUnconfirmed(buffer: Buffer, begin: number, end: number): Unconfirmed[] {
  const ranges: Unconfirmed[] = []
  for (let at = begin; at < end;) {
    const idAt = at + unconfirmedFixedBytes
    const next = idAt > end ? Infinity : idAt + buffer.readUInt8(idAt - 1)
    if (next > end) throw new ProtocolError('bad-length', 'an unconfirmed range passes the end of the frame header')
    ranges.push({ from: readU64(buffer, at), to: readU64(buffer, at + 8), at: buffer.toString('utf8', idAt, next) })
    at = next
  }
  return ranges
}

function checkLengths(header: FrameHeader): void {
  const { gap, start, rawBytes } = header
  const rawBytesMax = gap ? Number.MAX_SAFE_INTEGER : frameRawBytesMax
  const pathBytes = Buffer.byteLength(header.path)
  if (rawBytes < 1 || rawBytes > rawBytesMax)
    throw new ProtocolError('bad-length', `a frame covers 1 to ${rawBytesMax} bytes, this one ${rawBytes}`)
  if (!Number.isSafeInteger(start + rawBytes))
    throw new ProtocolError('bad-value', `a frame at ${start} of ${rawBytes} bytes ends past the largest offset`)
  if (pathBytes < 1 || pathBytes > framePathBytesMax)
    throw new ProtocolError('bad-length', `a path has 1 to ${framePathBytesMax} bytes, this one ${pathBytes}`)
  checkPayloadLength(header)
}

function checkPayloadLength({ gap, codec, rawBytes, encodedBytes }: FrameHeader): void {
  const [min, max] = gap ? [0, gapReasonBytesMax] : [1, frameEncodedBytesMax]
  if (encodedBytes < min || encodedBytes > max)
    throw new ProtocolError('bad-length', `a payload has ${min} to ${max} bytes, this one ${encodedBytes}`)
  if (gap ? codec !== 'none' : codec === 'none' && encodedBytes !== rawBytes)
    throw new ProtocolError('bad-length', `${encodedBytes} bytes of codec ${codec} cannot hold ${rawBytes} raw bytes`)
}

function flagsOf(fields: FrameFields): number {
  return (fields.newRange ? flagNewRange : 0) | (fields.partialLine ? flagPartialLine : 0) | (fields.gap ? flagGap : 0)
}

function writeU64(buffer: Buffer, value: number, offset: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new ProtocolError('bad-value', `an offset or time is a whole number from 0 to 2^53 - 1, not ${value}`)
  buffer.writeUInt32LE(value % 2 ** 32, offset)
  buffer.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4)
}

function writeU32(buffer: Buffer, value: number, offset: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw new ProtocolError('bad-value', `a count or checksum is a whole number from 0 to 2^32 - 1, not ${value}`)
  buffer.writeUInt32LE(value, offset)
}

function readU64(buffer: Buffer, offset: number): number {
  const value = buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * 2 ** 32
  if (!Number.isSafeInteger(value)) throw new ProtocolError('bad-value', `the number at byte ${offset} passes 2^53 - 1`)
  return value
}
