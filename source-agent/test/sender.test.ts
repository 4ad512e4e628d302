import { describe, expect, test } from '@jest/globals'
import type { FrameResult } from '@catchment/protocol'
import fc from 'fast-check'
import {
  answered,
  assign,
  beginSender,
  nextTurn,
  recorded,
  recordOf,
  refused,
  resumeSender,
  sent,
  unanswered,
  type Sender,
  type SentFrame,
} from '../src/decide/sender.ts'

const stream = '0123456789abcdef0123456789abcdef'
const given = { nowMs: 1000, chance: 0.5, sizeBytes: 1000 }
const ready = (sender: Sender): Sender => recorded(assign(sender, 'A'), 'A')
const turn = (from: number, to: number, named?: string): SentFrame[] => [{ from, to, named }]
const stored = (start: number, from: number, to: number): FrameResult => ({
  ...{ stream, start, outcome: 'stored' as const, status: 200 as const, durable: { from, to } },
})

describe('sender', () => {
  test('wants a durable record before the first frame to a collector, and declares a range there', () => {
    const assigned = assign(beginSender(stream), 'A')
    expect(nextTurn(assigned, 0)).toEqual({ type: 'record' })
    expect(nextTurn(recorded(assigned, 'A'), 0)).toMatchObject({ type: 'send', declare: true, from: 0 })
  })

  test('advances only to a durable range that contains the checkpoint', () => {
    const flying = sent(ready(beginSender(stream, 10)), turn(10, 20))
    expect(answered(flying, [stored(10, 5, 30)], given).sender.checkpoint).toBe(30)
    expect(answered(flying, [stored(10, 12, 30)], given).sender.checkpoint).toBe(10)
    expect(answered(flying, [stored(10, 0, 15)], given).sender.checkpoint).toBe(10)
  })

  test('takes a range that is longer than the file for another stream', () => {
    const flying = sent(ready(beginSender(stream, 10)), turn(10, 20))
    const { effects } = answered(flying, [stored(10, 0, 2000)], given)
    expect(effects).toContainEqual({ type: 'diverged' })
  })

  test('declares no more once a frame is durable, and again when it is told that its range is unknown', () => {
    const first = answered(sent(ready(beginSender(stream)), turn(0, 10)), [stored(0, 0, 10)], given).sender
    expect(nextTurn(first, 2000)).toMatchObject({ declare: false })
    const unknown: FrameResult = { stream, start: 10, outcome: 'expected', status: 409 }
    const again = answered(sent(first, turn(10, 20)), [unknown], given).sender
    expect(nextTurn(again, 1001)).toMatchObject({ type: 'send', declare: true, from: 10 })
  })

  test('skips to the end of what is held, and cuts where more is held behind', () => {
    const flying = sent(ready(beginSender(stream, 50)), turn(50, 150))
    const overlap = { stream, start: 50, outcome: 'overlap' as const, status: 409 as const, boundary: 100 }
    const skipped = answered(flying, [{ ...overlap, durable: { from: 0, to: 100 } }], given).sender
    expect(skipped.checkpoint).toBe(100)
    const cut = answered(flying, [overlap], given).sender
    expect(nextTurn(cut, 2000)).toMatchObject({ from: 50, endMax: 100 })
  })

  test('names what was sent and never answered in the first frame elsewhere, until it is durable there', () => {
    const silent = unanswered(sent(ready(beginSender(stream)), turn(0, 40)), 'silence', given).sender
    const moved = recorded(assign(silent, 'B'), 'B')
    expect(nextTurn(moved, 2000)).toMatchObject({ names: [{ from: 0, to: 40, at: 'A' }], declare: true })
    const partly = answered(sent(moved, turn(0, 10, 'A')), [stored(0, 0, 10)], given).sender
    expect(nextTurn(partly, 2000)).toMatchObject({ names: [] })
    expect(nextTurn(recorded(assign(partly, 'C'), 'C'), 2000)).toMatchObject({ names: [{ from: 10, to: 40, at: 'A' }] })
  })

  test('does not go on elsewhere before the request in flight has ended', () => {
    const moving = recorded(assign(sent(ready(beginSender(stream)), turn(0, 40)), 'B'), 'B')
    expect(nextTurn(moving, 2000)).toEqual({ type: 'wait', untilMs: undefined })
    const ended = answered(moving, [stored(0, 0, 40)], given).sender
    expect(nextTurn(ended, 2000)).toMatchObject({ collector: 'B', from: 40, declare: true, names: [] })
  })

  test('asks where the group went when it is misdirected, and holds', () => {
    const misdirected: FrameResult = {
      stream,
      start: 0,
      outcome: 'misdirected',
      status: 421,
      group: 'g',
      epoch: 7,
      to: 'B',
    }
    const step = answered(sent(ready(beginSender(stream)), turn(0, 40)), [misdirected], given)
    expect(step.effects).toContainEqual({ type: 'resolve', refusedBy: 'A', epoch: 7, to: 'B' })
    expect(nextTurn(step.sender, given.nowMs)).toMatchObject({ type: 'wait' })
    expect(step.sender.doubts).toEqual([])
  })

  test('doubts everything behind the checkpoint at the recorded collector after a restart', () => {
    const resumed = resumeSender(recordOf(ready(beginSender(stream, 5))), 90)
    expect(nextTurn(recorded(assign(resumed, 'B'), 'B'), 0)).toMatchObject({ names: [{ from: 5, to: 90, at: 'A' }] })
  })
})

/** The collector of the protocol, as small as it gets. */
class Ranges {
  ranges: { from: number; to: number }[] = []

  take(frame: SentFrame, declare: boolean): FrameResult {
    const { from, to } = frame
    const base = { stream, start: from }
    const inside = this.ranges.find((range) => range.from <= from && to <= range.to)
    if (inside !== undefined) return { ...base, outcome: 'duplicate', status: 200, durable: { ...inside } }
    const over = this.ranges.find((range) => range.from < to && from < range.to)
    if (over !== undefined && from < over.from) return { ...base, outcome: 'overlap', status: 409, boundary: over.from }
    if (over !== undefined) return { ...base, outcome: 'overlap', status: 409, boundary: over.to, durable: { ...over } }
    const range = this.ranges.find((held) => held.to === from)
    if (range === undefined && !declare) return { ...base, outcome: 'expected', status: 409 }
    if (range === undefined) this.ranges.push({ from, to })
    else range.to = to
    return stored(from, range?.from ?? from, to)
  }

  holds(at: number): boolean {
    return this.ranges.some(({ from, to }) => from <= at && at < to)
  }
}

const action = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('turn' as const),
      bytes: fc.integer({ min: 1, max: 30 }),
      frames: fc.integer({ min: 1, max: 3 }),
      fate: fc.constantFrom('answered', 'answered', 'answered', 'answer lost', 'request lost', 'refused'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), to: fc.constantFrom('A', 'B', 'C') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), to: fc.constantFrom('A', 'B', 'C') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('checkpoint' as const) }) },
)

test('sender loses no byte, holds none twice at one collector, and names every byte that two may hold', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const size = 400
      const collectors = new Map(['A', 'B', 'C'].map((id) => [id, new Ranges()]))
      const named = new Set<string>()
      let now = 0
      let sender = assign(beginSender(stream), 'A')
      let durable = recordOf(sender)
      const step = (bytes: number, frames: number, fate: string): void => {
        now += 100_000
        if (nextTurn(sender, now).type === 'record') {
          durable = recordOf(sender)
          sender = recorded(sender, sender.collector)
        }
        const next = nextTurn(sender, now)
        if (next.type !== 'send' || next.from >= size) return
        const end = Math.min(size, next.endMax ?? size)
        const parts: SentFrame[] = []
        for (let from = next.from; from < end && parts.length < frames; from += bytes)
          parts.push({ from, to: Math.min(end, from + bytes), named: next.names[parts.length]?.at })
        sender = sent(sender, parts)
        const circumstances = { nowMs: now, chance: 0.5, sizeBytes: size }
        if (fate === 'refused') sender = refused(sender, 0).sender
        else {
          const to = collectors.get(next.collector)
          const results =
            fate === 'request lost' ? [] : parts.map((part, index) => to?.take(part, next.declare && index === 0))
          for (const name of next.names) for (let at = name.from; at < name.to; at += 1) named.add(`${name.at} ${at}`)
          const answers = results.filter((result) => result !== undefined)
          sender = (
            fate === 'answered' ? answered(sender, answers, circumstances) : unanswered(sender, fate, circumstances)
          ).sender
        }
      }
      for (const one of actions) {
        if (one.do === 'turn') step(one.bytes, one.frames, one.fate)
        else if (one.do === 'move') sender = assign(sender, one.to)
        else if (one.do === 'checkpoint') durable = { ...durable, checkpoint: sender.checkpoint }
        else sender = assign(resumeSender(durable, size), one.to)
        for (let at = 0; at < sender.checkpoint; at += 1)
          if (![...collectors.values()].some((collector) => collector.holds(at))) throw new Error(`byte ${at} is lost`)
      }
      for (let turns = 0; turns < 600 && sender.checkpoint < size; turns += 1) step(25, 2, 'answered')
      expect(sender.checkpoint).toBe(size)
      for (const { ranges } of collectors.values())
        for (const a of ranges)
          for (const b of ranges) if (a !== b && a.from < b.to && b.from < a.to) throw new Error('twice')
      const ids = [...collectors.keys()]
      for (let at = 0; at < size; at += 1) {
        const holders = ids.filter((id) => collectors.get(id)?.holds(at))
        const told = holders.filter((id) => named.has(`${id} ${at}`)).length
        if (told < holders.length - 1) throw new Error(`byte ${at} is at ${holders.join()}, and only ${told} are named`)
      }
    }),
    { numRuns: 1500 },
  )
})
