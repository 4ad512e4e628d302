import { collectingLog, FakeClock } from '@catchment/testing'
import { describe, expect, test } from '@jest/globals'
import { LimitedLog } from '../src/limited-log.ts'
import { JobRuns } from '../src/runs.ts'

describe('JobRuns', () => {
  test('a run holds its job until its lease ends, then its signal aborts', async () => {
    const clock = new FakeClock()
    const { context } = new JobRuns(clock).start('a', 1, 100)
    await clock.advance(99)
    expect([context.held(), context.signal.aborted]).toEqual([true, false])
    await clock.advance(1)
    expect([context.held(), context.signal.aborted]).toEqual([false, true])
  })

  test('held is false once the lease is over, also before any timer has fired: a blocked loop', () => {
    const clock = new FakeClock()
    let nowMs = 0
    const { context } = new JobRuns({ now: () => 0, after: clock.after.bind(clock), monotonicMs: () => nowMs }).start(
      'a',
      1,
      100,
    )
    nowMs = 100
    expect([context.held(), context.signal.aborted]).toEqual([false, false])
  })

  test('a renewal prolongs the lease; one that comes too late does not bring it back', async () => {
    const clock = new FakeClock()
    const runs = new JobRuns(clock)
    const { context } = runs.start('a', 1, 100)
    await clock.advance(60)
    runs.renew(['a', 'unknown'], 160)
    await clock.advance(60)
    expect(context.held()).toBe(true)
    await clock.advance(40)
    runs.renew(['a'], 300)
    expect(context.held()).toBe(false)
  })

  test('a second run of the same job takes it from the first, whose end leaves it alone', async () => {
    const clock = new FakeClock()
    const runs = new JobRuns(clock)
    const first = runs.start('a', 1, Infinity)
    const second = runs.start('a', 2, Infinity)
    expect([first.context.held(), second.context.held()]).toEqual([false, true])
    first.end()
    expect([runs.size, second.context.held()]).toEqual([1, true])
    const idle = runs.idle()
    second.end()
    await idle
    expect([runs.ids(), clock.pendingTimers]).toEqual([[], 0])
  })
})

describe('LimitedLog', () => {
  test('a cause has so many lines a minute; the next minute begins with how many were left out', async () => {
    const clock = new FakeClock()
    const log = collectingLog()
    const limited = new LimitedLog(log, clock, 2)
    for (let line = 0; line < 1_000; line += 1) limited.warn('oom', 'refused')
    limited.warn('other', 'something else')
    expect(log.entries.map(({ fields }) => fields['cause'])).toEqual(['oom', 'oom', 'other'])
    await clock.advance(60_000)
    limited.warn('oom', 'refused')
    expect(log.entries.at(-1)?.fields).toEqual({ cause: 'oom', leftOut: 998 })
  })
})
