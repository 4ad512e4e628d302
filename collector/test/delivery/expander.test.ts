import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { decodeFrame } from '@catchment/protocol'
import { Expander, type PackedFrame } from '../../src/delivery/expander.ts'
import { frame, streamA, streamBytes } from '../kit.ts'

const kib = 1024
let expander: Expander

beforeEach(() => {
  expander = new Expander({ arenaBytes: 256 * kib })
})

afterEach(async () => {
  await expander.close()
})

function packed(from: number, to: number, plain = false): PackedFrame {
  const bytes = frame({ from, to, plain })
  const { header, payloadOffset } = decodeFrame(bytes, 0)
  return { header, payload: bytes.subarray(payloadOffset) }
}

const raw = (from: number, to: number): Buffer => streamBytes(streamA, from, to)

describe('Expander', () => {
  test('small frames, plain ones, those for the thread and those past its memory come back in their order', async () => {
    const ranges = [0, 10, 100 * kib, 100 * kib + 50, 250 * kib, 350 * kib, 400 * kib]
    const frames = ranges.slice(1).map((to, index) => packed(ranges[index] ?? 0, to, index === 3))
    for (let round = 0; round < 2; round += 1) {
      const results = await expander.expandAll(frames)
      expect(
        results.map(
          (one, index) => Buffer.isBuffer(one) && one.equals(raw(ranges[index] ?? 0, ranges[index + 1] ?? 0)),
        ),
      ).toEqual(frames.map(() => true))
    }
  })

  test('poison on the thread or beside it is notified of its own frame; no more than the header says is expanded', async () => {
    const large = packed(0, 100 * kib)
    const bomb = { ...large, header: { ...large.header, rawBytes: 50 * kib } }
    const foreign = { ...large, payload: Buffer.from('no zstd') }
    const other = { ...large, header: { ...large.header, rawCrc: 1 } }
    const small = { ...packed(0, 100), payload: Buffer.from('no zstd') }
    const results = await expander.expandAll([bomb, foreign, large, other, small])
    expect(results.map((one) => one instanceof Error)).toEqual([true, true, false, true, true])
    expect(results[2]).toEqual(raw(0, 100 * kib))
  })

  test('a thread that ends rejects what it was asked, and the next call has a new one', async () => {
    const frames = [packed(0, 100 * kib)]
    const asked = expander.expandAll(frames)
    const [outcome] = await Promise.all([
      expect(asked).rejects.toMatchObject({ code: 'thread-ended' }),
      expander.close(),
    ])
    expect(outcome).toBeUndefined()
    expect(await expander.expandAll(frames)).toEqual([raw(0, 100 * kib)])
  })
})
