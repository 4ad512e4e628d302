import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeTransaction, encodeTransaction, type Change } from '../src/changes.ts'
import { FrameReader } from '../src/frames.ts'
import { JuteError, JuteReader, JuteWriter } from '../src/jute.ts'
import { readMulti } from '../src/multi.ts'
import { readSetWatches } from '../src/watch-requests.ts'
import { opcode, readAuth, readConnectRequest, readWrite } from '../src/wire.ts'

const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'grapheme' })
const acl = fc.array(fc.record({ permissions: int, scheme: text, id: text }), { maxLength: 4 })

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    type: fc.constant('create' as const),
    path: text,
    data: fc.option(bytes),
    acl,
    ephemeralOwner: long,
  }),
  fc.record({ type: fc.constant('delete' as const), path: text }),
  fc.record({ type: fc.constant('setData' as const), path: text, data: fc.option(bytes), version: int }),
  fc.record({ type: fc.constant('setAcl' as const), path: text, acl, version: int }),
  fc.record({ type: fc.constant('openSession' as const), id: long, password: bytes, timeoutMs: int }),
  fc.record({ type: fc.constant('closeSession' as const), id: long }),
)
const transaction = fc.record({
  zxid: long,
  timeMs: fc.nat(),
  changes: fc.array(change, { maxLength: 5 }),
})

/** Bytes as a hostile peer makes them of good ones: some flipped, some cut off, some added. */
const hostile = (good: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .record({
      flips: fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) }), { maxLength: 4 }),
      keep: fc.nat({ max: good.length }),
      extra: bytes,
    })
    .map(({ flips, keep, extra }) => {
      const changed = Buffer.concat([good.subarray(0, keep), extra])
      for (const { at, to } of flips) if (changed.length > 0) changed[at % changed.length] = to
      return changed
    })

const onlyJuteErrors = (read: () => unknown): void => {
  try {
    read()
  } catch (thrown) {
    if (!(thrown instanceof JuteError)) throw thrown
  }
}

describe('jute', () => {
  test('reads what it wrote', () => {
    fc.assert(
      fc.property(fc.tuple(long, int, fc.boolean(), fc.option(bytes), text, fc.array(text)), ([a, b, c, d, e, f]) => {
        const writer = new JuteWriter().long(a).int(b).bool(c).buffer(d).string(e)
        writer.vector(f, f.length, (one) => writer.string(one))
        const reader = new JuteReader(writer.end())
        expect([reader.long(), reader.int(), reader.bool(), reader.buffer(), reader.string()]).toEqual([a, b, c, d, e])
        expect(reader.vector(() => reader.string())).toEqual(f)
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  test('a length beyond the bytes is refused before anything is allocated', () => {
    const huge = new JuteWriter().int(0x7fff_ffff).end()
    expect(() => new JuteReader(huge).buffer()).toThrow(JuteError)
    expect(() => new JuteReader(huge).vector(() => 0)).toThrow(JuteError)
    expect(() => new JuteReader(new JuteWriter().int(-2).end()).buffer()).toThrow(JuteError)
  })

  test('no bytes make the readers of requests throw anything but a JuteError', () => {
    const readers = [
      readConnectRequest,
      readMulti,
      readAuth,
      (reader: JuteReader) => readSetWatches(reader, opcode.setWatches2),
      ...[1, 2, 5, 7, 13, 15].map((type) => (reader: JuteReader) => readWrite(type, reader)),
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        for (const read of readers) onlyJuteErrors(() => read(new JuteReader(Buffer.from(array))))
      }),
      { numRuns: 500 },
    )
  })
})

describe('transactions in the log', () => {
  test('decode to what was encoded', () => {
    fc.assert(
      fc.property(transaction, (one) => {
        expect(decodeTransaction(encodeTransaction(one))).toEqual(one)
      }),
    )
  })

  test('flipped, cut and extended ones are refused as JuteError or read as something else, never worse', () => {
    fc.assert(
      fc.property(
        transaction.chain((one) => hostile(encodeTransaction(one))),
        (broken) => {
          onlyJuteErrors(() => decodeTransaction(broken))
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('FrameReader', () => {
  test('cuts the same packets from any chunks', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 20 })), (packets, cuts) => {
        const stream = Buffer.concat(packets.map((one) => new JuteWriter().buffer(one).end()))
        const frames = new FrameReader(64)
        const read: Buffer[] = []
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const end = at + (cuts[turn % Math.max(1, cuts.length)] ?? 7)
          frames.push(stream.subarray(at, end))
          at = end
          for (let frame = frames.next(); Buffer.isBuffer(frame); frame = frames.next()) read.push(frame)
        }
        expect(read).toEqual(packets)
      }),
    )
  })

  test.each([[-1], [65], [0x7fff_ffff]])('a length of %d is too long', (length) => {
    const frames = new FrameReader(64)
    frames.push(new JuteWriter().int(length).end())
    expect(frames.next()).toBe('tooLong')
  })
})
