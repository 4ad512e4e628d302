import { describe, expect, test } from '@jest/globals'
import { FakeClock } from '@catchment/testing'
import { limitWait, onAbort, unlessAborted } from '../src/index.ts'

describe('onAbort', () => {
  test('calls at the abort, once; at once where it has aborted; never after it was taken back', () => {
    const stop = new AbortController()
    const heard: string[] = []
    onAbort(stop.signal, () => heard.push('first'))
    const unsubscribe = onAbort(stop.signal, () => heard.push('taken back'))
    unsubscribe()
    expect(heard).toEqual([])
    stop.abort()
    onAbort(stop.signal, () => heard.push('late'))
    onAbort(undefined, () => heard.push('never'))
    expect(heard).toEqual(['first', 'late'])
  })
})

describe('unlessAborted', () => {
  test('ends as the work does, or with the reason of the signal; the failure of dropped work is no unhandled rejection', async () => {
    const stop = new AbortController()
    await expect(unlessAborted(Promise.resolve(7), stop.signal)).resolves.toBe(7)
    await expect(unlessAborted(Promise.reject(new Error('broken')), stop.signal)).rejects.toThrow('broken')
    const work = Promise.withResolvers<number>()
    const waiting = unlessAborted(work.promise, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    work.reject(new Error('too late'))
    await expect(unlessAborted(Promise.resolve(7), stop.signal)).rejects.toThrow('enough')
  })
})

describe('limitWait', () => {
  test('ends once, by what comes first, and leaves no timer', async () => {
    const clock = new FakeClock()
    const stop = new AbortController()
    const ends: string[] = []
    limitWait(clock, { signal: stop.signal, timeoutMs: 10 }, (why) => ends.push(`first ${why}`))
    limitWait(clock, { signal: stop.signal, timeoutMs: 20 }, (why) => ends.push(`second ${why}`))
    const over = limitWait(clock, { signal: stop.signal, timeoutMs: 5 }, (why) => ends.push(`over ${why}`))
    over()
    await clock.advance(10)
    stop.abort()
    limitWait(clock, { signal: stop.signal, timeoutMs: 5 }, (why) => ends.push(`late ${why}`))
    expect([ends, clock.pendingTimers]).toEqual([['first timeout', 'second aborted', 'late aborted'], 0])
  })
})
