import { expect, test } from '@jest/globals'
import type { FrameResult } from '@catchment/protocol'
import { createLog } from '@catchment/runtime'
import { FakeClock } from '@catchment/testing'
import { storedAsGap } from '../../src/decide/loss.ts'
import { looksNumbered } from '../../src/decide/identity.ts'
import { Unreadable } from '../../src/files/unreadable.ts'

const stream = '0123456789abcdef0123456789abcdef'
const result = (outcome: 'stored' | 'duplicate', start: number): FrameResult => ({
  ...{ stream, start, outcome, status: 200, durable: { from: 0, to: 100 } },
})
const frames = [
  { from: 0, to: 40 },
  { from: 40, to: 100 },
]
const loss = { from: 40, unanswered: false }
const sender = { unconfirmed: [], collector: 'A' }

test('storedAsGap counts what was stored as a gap, and nothing that was held already', () => {
  const results = [result('stored', 0), result('stored', 40)]
  expect(storedAsGap({ frames, results, loss, sender })).toEqual({ lostBytes: 60, perhapsBytes: 0 })
  const held = [result('stored', 0), result('duplicate', 40)]
  expect(storedAsGap({ frames, results: held, loss, sender })).toEqual({ lostBytes: 0, perhapsBytes: 0 })
})

test('storedAsGap says perhaps where no one can report', () => {
  const held = [result('stored', 0), result('duplicate', 40)]
  const unanswered = { from: 40, unanswered: true }
  expect(storedAsGap({ frames, results: held, loss: unanswered, sender }).perhapsBytes).toBe(60)
  const results = [result('stored', 0), result('stored', 40)]
  const doubted = { unconfirmed: [{ from: 30, to: 60, at: 'B' }], collector: 'A' }
  expect(storedAsGap({ frames, results, loss, sender: doubted })).toEqual({ lostBytes: 40, perhapsBytes: 20 })
})

test.each([
  ['app.log.1', true],
  ['app.log-20260101', true],
  ['app.log.copy', false],
  ['app.log.1.gz', false],
])('looksNumbered reports whether rotation named %s', (name, expected) => {
  expect(looksNumbered(name, 'app.log')).toBe(expected)
})

test('Unreadable reports once of many files, again when they double or after an hour', async () => {
  const clock = new FakeClock()
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  const unreadable = new Unreadable(clock, createLog({ program: 'agent', level: 'info', destination }))
  const paths = (count: number): Set<string> => new Set(Array.from({ length: count }, (_, n) => `/${n}`))
  for (const count of [3, 3, 5, 2]) unreadable.report(paths(count))
  expect(lines).toHaveLength(1)
  unreadable.report(paths(6))
  expect(lines).toHaveLength(2)
  await clock.advance(3_600_000)
  unreadable.report(paths(6))
  unreadable.report(new Set())
  unreadable.report(new Set())
  expect(lines).toHaveLength(4)
})
