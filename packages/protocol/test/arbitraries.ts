// What fast-check draws the protocol's own values from.

import fc from 'fast-check'
import { zstdCompressSync, crc32 } from 'node:zlib'
import { encodeFrameHeader, seamCrc, unconfirmedMax, type FrameFields } from '../src/index.ts'

const u32 = fc.integer({ min: 0, max: 0xffffffff })
const time = fc.integer({ min: 0, max: 2 ** 45 })

export const memberId = fc
  .stringMatching(/^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_])$/)
  .filter((id) => !(id in {}))
export const groupName = fc
  .stringMatching(/^(?:[A-Za-z0-9~_-]|%[0-9A-F]{2}){1,20}(?:\/(?:[A-Za-z0-9~_-]|%[0-9A-F]{2}){1,20}){0,2}$/)
  .filter((name) => !(name in {}) && name.length <= 200)
const streamId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))

export const plainFields: FrameFields = {
  stream: '00112233445566778899aabbccddeeff',
  start: 100,
  rawBytes: 7,
  codec: 'none',
  lines: 1,
  firstReadAt: 1_700_000_000_000,
  lastReadAt: 1_700_000_000_001,
  rawCrc: 1,
  beforeCrc: 2,
  afterCrc: 3,
  newRange: false,
  partialLine: false,
  gap: false,
  unconfirmed: [],
  group: 'web/0',
  source: 'host-1',
  path: '/var/log/app.log',
}

const commonFields = fc.record({
  stream: streamId,
  start: fc.integer({ min: 0, max: 2 ** 52 }),
  lines: u32,
  firstReadAt: time,
  lastReadAt: time,
  beforeCrc: u32,
  newRange: fc.boolean(),
  partialLine: fc.boolean(),
  doubted: fc.array(memberId, { maxLength: unconfirmedMax }),
  group: groupName,
  source: memberId,
  path: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }),
})

/** With the doubted collectors as unconfirmed ranges within the frame. */
function placed<T extends { start: number; doubted: string[] }>(
  common: T,
  rawBytes: number,
): Omit<T, 'doubted'> & Pick<FrameFields, 'unconfirmed'> {
  const { doubted, ...rest } = common
  const end = common.start + rawBytes
  const unconfirmed = doubted.map((at, index) => ({ from: Math.min(end - 1, common.start + index), to: end, at }))
  return { ...rest, unconfirmed }
}

const logFrame = fc
  .tuple(commonFields, fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.constantFrom('none', 'zstd'))
  .map(([common, raw, codec]) => ({
    fields: {
      ...placed(common, raw.length),
      rawBytes: raw.length,
      codec,
      rawCrc: crc32(raw),
      afterCrc: seamCrc(raw),
      gap: false,
    },
    payload: codec === 'zstd' ? zstdCompressSync(raw) : Buffer.from(raw),
  }))

const gapFrame = fc
  .tuple(commonFields, fc.integer({ min: 1, max: 2 ** 52 }), fc.string({ maxLength: 200 }))
  .map(([common, rawBytes, reason]) => ({
    fields: { ...placed(common, rawBytes), rawBytes, codec: 'none' as const, rawCrc: 0, afterCrc: 0, gap: true },
    payload: Buffer.from(reason),
  }))

/** A frame of lines or a gap, as `FrameFields` and payload. */
export const anyFrame: fc.Arbitrary<{ fields: FrameFields; payload: Buffer }> = fc.oneof(logFrame, gapFrame)

export function frameOf(fields: FrameFields, payload: Buffer): Buffer {
  return Buffer.concat([encodeFrameHeader(fields, payload), payload])
}
