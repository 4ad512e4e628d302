import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { JuteError, JuteReader, opcode } from '@catchment/zookeeper-wire'
import { decodeTransaction, encodeTransaction, type Change } from '../src/tree/changes.ts'
import { readMulti } from '../src/requests/multi.ts'
import { readSetWatches } from '../src/requests/watch-requests.ts'
import { readAuth, readConnectRequest, readWrite } from '../src/requests/wire.ts'

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

describe('requests', () => {
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
