import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { RangeTable, type OfferedFrame, type Ticket, type FrameVerdict } from '../../src/decide/ranges.ts'
import { streamA, streamB } from '../kit.ts'

/** What a set of bytes says of a frame: the definition that the table must agree with. */
class ByteSets {
  readonly held = new Set<number>()
  readonly durable = new Set<number>()

  judge(from: number, to: number, newRange: boolean): FrameVerdict['kind'] {
    const bytes = Array.from({ length: to - from }, (_, index) => from + index)
    const overlap = bytes.filter((byte) => this.held.has(byte)).length
    if (overlap === bytes.length) return 'duplicate'
    if (overlap > 0) return 'overlap'
    return newRange || this.held.has(from - 1) ? 'store' : 'expected'
  }

  /** The end of the run of held bytes that begins at or before `byte`. */
  runEnd(byte: number): number {
    let end = byte
    while (this.held.has(end)) end += 1
    return end
  }

  firstHeldAfter(byte: number): number {
    return Math.min(...[...this.held].filter((held) => held > byte))
  }

  durableAround(byte: number): { from: number; to: number } {
    let from = byte
    let to = byte
    while (this.durable.has(from - 1)) from -= 1
    while (this.durable.has(to)) to += 1
    return { from, to }
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('offer' as const),
      from: fc.nat(60),
      length: fc.integer({ min: 1, max: 15 }),
      newRange: fc.boolean(),
      second: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)

interface PendingOffer {
  readonly ticket: Ticket
  readonly stream: string
  readonly from: number
  readonly to: number
}

describe('RangeTable', () => {
  test('agrees with sets of bytes on every schedule of offers, commits, failed writes and restarts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const models = new Map([streamA, streamB].map((stream) => [stream, new ByteSets()]))
        const world: RangeWorld = { table: new RangeTable(), models, pending: [] }
        for (const one of steps) {
          if (one.do === 'offer') offerTo(world, one)
          else if (one.do === 'commit') commitFirst(world)
          else forgetPending(world, one.do)
          const { table } = world
          for (const [stream, model] of models) {
            const bytes = table
              .durableRanges(stream)
              .flatMap(({ from, to }) => [...Array(to - from).keys()].map((at) => from + at))
            expect(new Set(bytes)).toEqual(model.durable)
            expect(bytes.length).toBe(model.durable.size)
          }
        }
      }),
      { numRuns: 400, seed: 20_261 },
    )
  })

  test('a frame whose seam differs from what is held before it has diverged, and takes nothing', () => {
    const table = new RangeTable()
    const first = table.offer(offer(0, 10, { newRange: true, afterCrc: 7 }))
    expect(table.offer(offer(10, 20, { beforeCrc: 8 }))).toMatchObject({ kind: 'diverged', waitFor: [1] })
    if (first.kind === 'store') table.commit(first.ticket)
    expect(table.offer(offer(10, 20, { newRange: true, beforeCrc: 8 }))).toMatchObject({ kind: 'diverged' })
    expect(table.offer(offer(10, 20, { beforeCrc: 7 }))).toMatchObject({ kind: 'store' })
  })

  test('a gap brings no bytes of its own: it extends a range whatever seam its agent knows, and overlaps none', () => {
    const table = new RangeTable()
    table.offer(offer(0, 10, { newRange: true, afterCrc: 7 }))
    const gap = (from: number, to: number): OfferedFrame => ({ ...offer(from, to, { beforeCrc: 8 }), gap: true })
    expect(table.offer(gap(5, 20))).toMatchObject({ kind: 'overlap', boundary: 10 })
    expect(table.offer(gap(10, 20))).toMatchObject({ kind: 'store' })
  })

  test('expected names the newest range, and nothing for an unknown stream', () => {
    const table = new RangeTable()
    expect(table.offer(offer(5, 9))).toEqual({ kind: 'expected', expected: undefined, waitFor: [] })
    for (const from of [100, 0]) {
      const verdict = table.offer(offer(from, from + 10, { newRange: true }))
      if (verdict.kind === 'store') table.commit(verdict.ticket)
    }
    const gone = offer(50, 60)
    const verdict = table.offer(gone)
    expect(table.result(gone, verdict)).toMatchObject({ expected: 10, durable: { from: 0, to: 10 }, status: 409 })
  })

  test('a ticket is settled once', () => {
    const table = new RangeTable()
    const verdict = table.offer(offer(0, 10, { newRange: true }))
    expect(verdict).toEqual({ kind: 'store', ticket: 1 })
    table.commit(1)
    expect(() => {
      table.abort(1)
    }).toThrow('ticket 1 is not pending')
  })

  test('past streamsMax the stream used longest ago is forgotten, never one with pending frames', () => {
    const table = new RangeTable({ streamsMax: 2 })
    const streams = ['1', '2', '3'].map((digit) => digit.repeat(32))
    table.offer(offer(0, 10, { newRange: true, stream: streams[0] ?? '' }))
    for (const stream of streams.slice(1)) {
      const verdict = table.offer(offer(0, 10, { newRange: true, stream }))
      if (verdict.kind === 'store') table.commit(verdict.ticket)
    }
    expect(table.streams).toBe(2)
    expect(table.offer(offer(0, 5, { stream: streams[0] ?? '' })).kind).toBe('duplicate')
    expect(table.offer(offer(0, 5, { stream: streams[1] ?? '' })).kind).toBe('expected')
  })
})

interface RangeWorld {
  table: RangeTable
  readonly models: ReadonlyMap<string, ByteSets>
  pending: PendingOffer[]
}

function offerTo(
  { table, models, pending }: RangeWorld,
  one: { from: number; length: number; newRange: boolean; second: boolean },
): void {
  const stream = one.second ? streamB : streamA
  const model = modelOf(models, stream)
  const to = one.from + one.length
  const offered = offer(one.from, to, { newRange: one.newRange, stream })
  const verdict = table.offer(offered)
  check({ table, model, verdict, offered }, pending)
  if (verdict.kind !== 'store') return
  pending.push({ ticket: verdict.ticket, stream, from: one.from, to })
  for (let byte = one.from; byte < to; byte += 1) model.held.add(byte)
}

function commitFirst({ table, models, pending }: RangeWorld): void {
  const next = pending.shift()
  if (next === undefined) return
  table.commit(next.ticket)
  for (let byte = next.from; byte < next.to; byte += 1) modelOf(models, next.stream).durable.add(byte)
}

/** A write that failed, with all after it; or the end of the process. */
function forgetPending(world: RangeWorld, how: 'fail' | 'restart'): void {
  if (how === 'fail') for (const { ticket } of world.pending) world.table.abort(ticket)
  else world.table = restarted(world.table)
  world.pending = []
  for (const model of world.models.values()) {
    model.held.clear()
    for (const byte of model.durable) model.held.add(byte)
  }
}

function check(
  {
    table,
    model,
    verdict,
    offered,
  }: { table: RangeTable; model: ByteSets; verdict: FrameVerdict; offered: OfferedFrame },
  pending: readonly PendingOffer[],
): void {
  const { start, stream } = offered
  const end = start + offered.rawBytes
  expect(verdict.kind).toBe(model.judge(start, end, offered.newRange))
  if (verdict.kind === 'overlap')
    expect(verdict.boundary).toBe(model.held.has(start) ? model.runEnd(start) : model.firstHeldAfter(start))
  if (verdict.kind === 'duplicate') {
    const covering = pending.filter((one) => one.stream === stream && one.from < end && one.to > start)
    expect(verdict.waitFor).toEqual(covering.map(({ ticket }) => ticket))
    if (covering.length === 0)
      expect(table.result(offered, verdict)).toMatchObject({ durable: model.durableAround(start) })
  }
}

function offer(from: number, to: number, rest: Partial<OfferedFrame> = {}): OfferedFrame {
  return { stream: streamA, start: from, rawBytes: to - from, newRange: false, beforeCrc: 0, afterCrc: 0, ...rest }
}

function restarted(table: RangeTable): RangeTable {
  const next = new RangeTable()
  for (const snapshot of table.snapshot()) next.restore(snapshot)
  return next
}

function modelOf(models: ReadonlyMap<string, ByteSets>, stream: string): ByteSets {
  const model = models.get(stream)
  if (model === undefined) throw new Error(`no model of ${stream}`)
  return model
}
