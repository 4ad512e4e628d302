import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import {
  decodeFrame,
  decodeFrameHeader,
  encodeFrameHeader,
  frameEncodedBytesMax,
  frameHeaderBytesMax,
  framePathBytesMax,
  frameRawBytesMax,
  ProtocolError,
  seamCrc,
  unconfirmedMax,
  type FrameFields,
} from '../src/index.ts'
import { anyFrame, frameOf, plainFields } from './arbitraries.ts'
import { codeThrown, damaged, valueOrProtocolError } from './damage.ts'

const encode = (changes: Partial<FrameFields>, payload = Buffer.from('a line\n')): Buffer =>
  frameOf({ ...plainFields, rawBytes: payload.length, ...changes }, payload)

describe('encodeFrameHeader and decodeFrame', () => {
  test('round trip: every field, at any offset, with anything after it', () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(50), fc.uint8Array({ maxLength: 50 }), ({ fields, payload }, offset, rest) => {
        const frame = frameOf(fields, payload)
        const decoded = decodeFrame(Buffer.concat([Buffer.alloc(offset, 'CT'), frame, rest]), offset)
        expect(decoded.header).toEqual({ ...fields, encodedBytes: payload.length, encodedCrc: crc32(payload) })
        expect([decoded.offset, decoded.end - offset]).toEqual([offset, frame.length])
        expect(decoded.end - decoded.payloadOffset).toBe(payload.length)
      }),
    )
  })

  test('any single flipped bit of a frame is detected', () => {
    const frame = encode({
      unconfirmed: [
        { from: 100, to: 103, at: 'c2' },
        { from: 101, to: 107, at: 'c3' },
      ],
    })
    for (let bit = 0; bit < frame.length * 8; bit += 1) {
      const flipped = Buffer.from(frame)
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect([bit, codeThrown(() => decodeFrame(flipped, 0))]).not.toEqual([bit, undefined])
    }
  })

  test('a frame cut anywhere is truncated: more bytes may make it whole', () => {
    const frame = encode({})
    for (let bytes = 0; bytes < frame.length; bytes += 1)
      expect([bytes, codeThrown(() => decodeFrame(frame.subarray(0, bytes), 0))]).toEqual([bytes, 'truncated'])
  })

  test('damaged or random bytes give a ProtocolError or a frame within its limits, quickly', () => {
    const bytes = fc.oneof(
      damaged(anyFrame.map(({ fields, payload }) => frameOf(fields, payload))),
      fc.uint8Array({ maxLength: 400 }).map((random) => Buffer.concat([Buffer.from('CTCF\x01'), random])),
    )
    fc.assert(
      fc.property(bytes, fc.integer({ min: 0, max: 20 }), (buffer, offset) => {
        for (const decode of [decodeFrame, decodeFrameHeader]) {
          const frame = valueOrProtocolError(() => decode(buffer, offset))
          if (frame === undefined) continue
          expect(frame.header.encodedBytes).toBeLessThanOrEqual(frameEncodedBytesMax)
          expect(frame.payloadOffset - frame.offset).toBeLessThanOrEqual(frameHeaderBytesMax)
          expect(encodeAgain(buffer, frame.payloadOffset, frame.header)).toEqual(
            buffer.subarray(offset, frame.payloadOffset),
          )
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('a header with a right checksum and any field beyond its limits is refused', () => {
    const resealed = (change: (header: Buffer) => void): Buffer => {
      const payload = Buffer.from('a line\n')
      const frame = encode({ unconfirmed: [{ from: 100, to: 103, at: 'c2' }] }, payload)
      const header = frame.subarray(0, frame.length - payload.length)
      change(header)
      header.writeUInt32LE(crc32(header.subarray(0, -4)), header.length - 4)
      return frame
    }
    expect(
      codeThrown(() =>
        decodeFrame(
          resealed(() => undefined),
          0,
        ),
      ),
    ).toBe(undefined)
    const refused: [string, (header: Buffer) => void][] = [
      ['version', (header) => header.writeUInt8(2, 4)],
      ['codec', (header) => header.writeUInt8(2, 5)],
      ['flags', (header) => header.writeUInt8(8, 6)],
      ['reserved byte', (header) => header.writeUInt8(1, 7)],
      ['header length', (header) => header.writeUInt32LE(0xffffffff, 8)],
      ['start past 2^53', (header) => header.writeUInt32LE(0x200000, 32)],
      ['raw length 0', (header) => header.writeUInt32LE(0, 36)],
      ['raw length past its limit', (header) => header.writeUInt32LE(frameRawBytesMax + 1, 36)],
      ['encoded length 4 GiB', (header) => header.writeUInt32LE(0xffffffff, 44)],
      [
        'unconfirmed range that passes the header',
        (header) => header.writeUInt8(200, header.length - 4 - 'c2'.length - 1),
      ],
    ]
    for (const [what, change] of refused)
      expect([what, codeThrown(() => decodeFrame(resealed(change), 0))]).not.toEqual([what, undefined])
  })

  test('lengths at their limits pass, one past them does not', () => {
    expect(codeThrown(() => encode({ path: 'p'.repeat(framePathBytesMax) }))).toBe(undefined)
    expect(codeThrown(() => encode({ path: 'p'.repeat(framePathBytesMax + 1) }))).toBe('bad-length')
    expect(codeThrown(() => encode({ path: 'é'.repeat(framePathBytesMax) }))).toBe('bad-length')
    expect(codeThrown(() => encode({}, Buffer.alloc(frameRawBytesMax)))).toBe(undefined)
    expect(codeThrown(() => encode({}, Buffer.alloc(frameRawBytesMax + 1)))).toBe('bad-length')
    expect(codeThrown(() => encode({ gap: true, rawBytes: 2 ** 50 }, Buffer.alloc(1024, 'x')))).toBe(undefined)
    expect(codeThrown(() => encode({ gap: true, rawBytes: 2 ** 50 }, Buffer.alloc(1025, 'x')))).toBe('bad-length')
    expect(codeThrown(() => encode({ codec: 'zstd', rawBytes: 10 }, Buffer.alloc(0)))).toBe('bad-length')
  })

  test('an encoder given what a frame cannot carry throws ProtocolError, never another error, never a wrong frame', () => {
    const wrong: Partial<FrameFields>[] = [
      { stream: 'abc' },
      { stream: 'g'.repeat(32) },
      { stream: 'AB'.repeat(16) },
      { start: -1 },
      { start: 0.5 },
      { start: Number.MAX_SAFE_INTEGER },
      { rawBytes: Number.NaN },
      { lines: -1 },
      { lines: 2 ** 32 },
      { rawCrc: 2 ** 32 },
      { beforeCrc: -1 },
      { afterCrc: 1.5 },
      { firstReadAt: Number.POSITIVE_INFINITY },
      { group: '' },
      { group: 'a//b' },
      { group: '__proto__' },
      { source: '-' },
      { path: '' },
      { path: 'p'.repeat(70_000) },
      { gap: true, codec: 'zstd' },
      { unconfirmed: [{ from: 100, to: 100, at: 'c1' }] },
      { unconfirmed: [{ from: 99, to: 105, at: 'c1' }] },
      { unconfirmed: [{ from: 100, to: 108, at: 'c1' }] },
      { unconfirmed: [{ from: 100, to: 105, at: '' }] },
      { unconfirmed: [{ from: 100, to: 105, at: 'c'.repeat(65) }] },
      { unconfirmed: Array.from({ length: unconfirmedMax + 1 }, () => ({ from: 100, to: 105, at: 'c1' })) },
    ]
    for (const changes of wrong) {
      let thrown: unknown
      try {
        encode(changes)
      } catch (error) {
        thrown = error
      }
      expect([changes, thrown]).toEqual([changes, expect.any(ProtocolError)])
    }
  })

  test('decodes bytes that are no frame as bad-magic, past the end too', () => {
    for (const [bytes, offset] of [
      ['CTCR....', 0],
      ['CX', 0],
      ['CTCF', 5],
    ] as const)
      expect(codeThrown(() => decodeFrame(Buffer.from(bytes), offset))).toBe('bad-magic')
  })
})

describe('seamCrc', () => {
  test('is the checksum of the last 64 bytes, 0 of none', () => {
    expect(seamCrc(Buffer.alloc(0))).toBe(0)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(seamCrc(bytes)).toBe(crc32(bytes.slice(-64)))
      }),
    )
  })
})

function encodeAgain(buffer: Buffer, payloadOffset: number, header: FrameFields & { encodedBytes: number }): Buffer {
  // decodeFrameHeader does not need the payload; what was cut cannot be encoded again
  const payload = buffer.subarray(payloadOffset, payloadOffset + header.encodedBytes)
  if (payload.length < header.encodedBytes) return buffer.subarray(buffer.indexOf('CTCF'), payloadOffset)
  return encodeFrameHeader(header, payload)
}
