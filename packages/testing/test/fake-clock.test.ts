import { describe, expect, test } from '@jest/globals'
import { sleep } from '@catchment/runtime'
import { FakeClock } from '../src/index.ts'

describe('FakeClock', () => {
  test('stands still until it is advanced, and moves wall and monotonic time together', async () => {
    const clock = new FakeClock(1000)
    await clock.advance(0)
    expect([clock.now(), clock.monotonicMs()]).toEqual([1000, 0])
    await clock.advance(2500)
    expect([clock.now(), clock.monotonicMs()]).toEqual([3500, 2500])
    clock.jumpWall(-3000)
    expect([clock.now(), clock.monotonicMs()]).toEqual([500, 2500])
  })

  test('fires due timers in the order of their times, of one instant in the order of setting, none early', async () => {
    const clock = new FakeClock()
    const fired: string[] = []
    const note = (name: string) => () => fired.push(`${name}@${clock.monotonicMs()}`)
    clock.after(30, note('late'))
    clock.after(10, note('first'))
    clock.after(10, note('second'))
    clock.after(31, note('not yet'))
    await clock.advance(30)
    expect(fired).toEqual(['first@10', 'second@10', 'late@30'])
    expect(clock.pendingTimers).toBe(1)
  })

  test('a cancelled timer does not fire, cancelling twice or late does nothing', async () => {
    const clock = new FakeClock()
    let fired = 0
    const timer = clock.after(10, () => (fired += 1))
    timer.cancel()
    timer.cancel()
    const other = clock.after(10, () => (fired += 1))
    await clock.advance(10)
    other.cancel()
    expect(fired).toBe(1)
  })

  test('what promises set between timers is due in the same advance: a loop of sleeps runs through', async () => {
    const clock = new FakeClock()
    const woke: number[] = []
    const loop = (async () => {
      for (let round = 0; round < 5; round += 1) {
        await sleep(clock, 100)
        woke.push(clock.monotonicMs())
      }
    })()
    await clock.advance(1000)
    await loop
    expect(woke).toEqual([100, 200, 300, 400, 500])
    expect(clock.pendingTimers).toBe(0)
  })
})
