import { describe, expect, test } from '@jest/globals'
import type { FrameResult } from '@catchment/protocol'
import fc from 'fast-check'
import {
  answered,
  assign,
  beginSender,
  nextBatch,
  recorded,
  recordOf,
  refused,
  resumeSender,
  sent,
  unanswered,
  type SenderState,
  type SentFrame,
} from '../../src/decide/sender.ts'
import { unconfirmedIn } from '../../src/decide/unconfirmed.ts'

const stream = '0123456789abcdef0123456789abcdef'
const given = { nowMs: 1000, chance: 0.5, sizeBytes: 1000 }
const ready = (sender: SenderState): SenderState => recorded(assign(sender, 'A'), 'A')
const turn = (from: number, to: number): SentFrame[] => [{ from, to }]
const stored = (start: number, from: number, to: number): FrameResult => ({
  ...{ stream, start, outcome: 'stored' as const, status: 200 as const, durable: { from, to } },
})

describe('sender', () => {
  test('wants a durable record before the first frame to a collector, and declares a range there', () => {
    const assigned = assign(beginSender(stream), 'A')
    expect(nextBatch(assigned, 0)).toEqual({ type: 'record' })
    expect(nextBatch(recorded(assigned, 'A'), 0)).toMatchObject({ type: 'send', declare: true, from: 0 })
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

  test('declares no more once a frame is durable, and again when it is notified that its range is unknown', () => {
    const first = answered(sent(ready(beginSender(stream)), turn(0, 10)), [stored(0, 0, 10)], given).sender
    expect(nextBatch(first, 2000)).toMatchObject({ declare: false })
    const unknown: FrameResult = { stream, start: 10, outcome: 'expected', status: 409 }
    const again = answered(sent(first, turn(10, 20)), [unknown], given).sender
    expect(nextBatch(again, 1001)).toMatchObject({ type: 'send', declare: true, from: 10 })
  })

  test('skips to the end of what is held, and cuts where more is held after it', () => {
    const flying = sent(ready(beginSender(stream, 50)), turn(50, 150))
    const overlap = { stream, start: 50, outcome: 'overlap' as const, status: 409 as const, boundary: 100 }
    const skipped = answered(flying, [{ ...overlap, durable: { from: 0, to: 100 } }], given).sender
    expect(skipped.checkpoint).toBe(100)
    const cut = answered(flying, [overlap], given).sender
    expect(nextBatch(cut, 2000)).toMatchObject({ from: 50, endMax: 100 })
  })

  test('names, in every frame elsewhere, which of its bytes were sent and never answered', () => {
    const silent = unanswered(sent(ready(beginSender(stream)), turn(0, 40)), 'silence', given).sender
    const moved = recorded(assign(silent, 'B'), 'B')
    expect(nextBatch(moved, 2000)).toMatchObject({ declare: true })
    expect(unconfirmedIn(moved, 0, 90)).toEqual([{ from: 0, to: 40, at: 'A' }])
    const partly = answered(sent(moved, turn(0, 10)), [stored(0, 0, 10)], given).sender
    expect(unconfirmedIn(partly, 10, 30)).toEqual([{ from: 10, to: 30, at: 'A' }])
    expect(unconfirmedIn(partly, 40, 50)).toEqual([])
    expect(unconfirmedIn(assign(partly, 'A'), 10, 30)).toEqual([])
  })

  test('does not go on elsewhere before the request in flight has ended', () => {
    const moving = recorded(assign(sent(ready(beginSender(stream)), turn(0, 40)), 'B'), 'B')
    expect(nextBatch(moving, 2000)).toEqual({ type: 'wait', untilMs: undefined })
    const ended = answered(moving, [stored(0, 0, 40)], given).sender
    expect(nextBatch(ended, 2000)).toMatchObject({ collector: 'B', from: 40, declare: true })
    expect(unconfirmedIn(ended, 40, 90)).toEqual([])
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
    expect(nextBatch(step.sender, given.nowMs)).toMatchObject({ type: 'wait' })
    expect(step.sender.unconfirmed).toEqual([])
  })

  test('counts everything after the checkpoint as unconfirmed at the recorded collector after a restart', () => {
    const resumed = resumeSender(recordOf(ready(beginSender(stream, 5))), 90)
    expect(unconfirmedIn(assign(resumed, 'B'), 0, 200)).toEqual([{ from: 5, to: 90, at: 'A' }])
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

  checkDisjoint(): void {
    const sorted = this.ranges.toSorted((a, b) => a.from - b.from)
    for (const [n, range] of sorted.entries())
      if (range.to > (sorted[n + 1]?.from ?? Infinity)) throw new Error('twice')
  }

  holds(at: number): boolean {
    return this.ranges.some(({ from, to }) => from <= at && at < to)
  }
}

function checkNamed(collectors: ReadonlyMap<string, Ranges>, named: ReadonlySet<string>, size: number): void {
  for (let at = 0; at < size; at += 1) {
    const holders = [...collectors].filter(([, ranges]) => ranges.holds(at)).map(([id]) => id)
    const namedCount = holders.filter((id) => named.has(`${id} ${at}`)).length
    if (namedCount < holders.length - 1)
      throw new Error(`byte ${at} is at ${holders.join()}, and only ${namedCount} are named`)
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

/** A sender, three collectors, and what was recorded durably. */
class Play {
  readonly size = 400
  readonly collectors = new Map(['A', 'B', 'C'].map((id) => [id, new Ranges()]))
  /** `A 7`: a frame that A stored names byte 7 as unconfirmed. */
  readonly named = new Set<string>()
  sender = assign(beginSender(stream), 'A')
  durable = recordOf(this.sender)
  #now = 0

  turn(bytes: number, frames: number, fate: string): void {
    this.#now += 100_000
    if (nextBatch(this.sender, this.#now).type === 'record') {
      this.durable = recordOf(this.sender)
      this.sender = recorded(this.sender, this.sender.collector)
    }
    const next = nextBatch(this.sender, this.#now)
    if (next.type !== 'send' || next.from >= this.size) return
    const end = Math.min(this.size, next.endMax ?? this.size)
    const parts: SentFrame[] = []
    for (let from = next.from; from < end && parts.length < frames; from += bytes)
      parts.push({ from, to: Math.min(end, from + bytes) })
    this.sender = sent(this.sender, parts)
    this.#end(fate, next, parts)
  }

  #end(fate: string, next: { collector: string; declare: boolean }, parts: readonly SentFrame[]): void {
    const circumstances = { nowMs: this.#now, chance: 0.5, sizeBytes: this.size }
    const collector = this.collectors.get(next.collector) ?? new Ranges()
    if (fate === 'refused') this.sender = refused(this.sender, 0).sender
    else if (fate === 'request lost') this.sender = unanswered(this.sender, fate, circumstances).sender
    else {
      const results = parts.map((part, index) => {
        const result = collector.take(part, next.declare && index === 0)
        if (result.outcome === 'stored') this.#name(part)
        return result
      })
      const answers = fate === 'answered'
      this.sender = (
        answers ? answered(this.sender, results, circumstances) : unanswered(this.sender, fate, circumstances)
      ).sender
    }
  }

  #name({ from, to }: SentFrame): void {
    for (const doubt of unconfirmedIn(this.sender, from, to))
      for (let at = doubt.from; at < doubt.to; at += 1) this.named.add(`${doubt.at} ${at}`)
  }

  checkKept(): void {
    for (let at = 0; at < this.sender.checkpoint; at += 1)
      if (![...this.collectors.values()].some((collector) => collector.holds(at))) throw new Error(`byte ${at} is lost`)
  }
}

test('sender loses no byte, holds none twice at one collector, and names every byte that two may hold', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const play = new Play()
      for (const one of actions) {
        if (one.do === 'turn') play.turn(one.bytes, one.frames, one.fate)
        else if (one.do === 'move') play.sender = assign(play.sender, one.to)
        else if (one.do === 'checkpoint') play.durable = { ...play.durable, checkpoint: play.sender.checkpoint }
        else play.sender = assign(resumeSender(play.durable, play.size), one.to)
        play.checkKept()
      }
      for (let turns = 0; turns < 600 && play.sender.checkpoint < play.size; turns += 1) play.turn(25, 2, 'answered')
      expect(play.sender.checkpoint).toBe(play.size)
      for (const collector of play.collectors.values()) collector.checkDisjoint()
      checkNamed(play.collectors, play.named, play.size)
    }),
    { numRuns: 1000 },
  )
})
