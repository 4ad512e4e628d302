import { describe, expect, test } from '@jest/globals'
import { array, assert, double, integer, property } from 'fast-check'
import { backoffMs } from '../src/decide/backoff.ts'
import { afterFailure, heldMs, passing } from '../src/decide/breaker.ts'
import { failureCause } from '../src/decide/failure.ts'
import { problemsOf, type RedisHealth } from '../src/decide/problems.ts'
import { shareOf, take } from '../src/decide/token-bucket.ts'

const drawn = double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('backoffMs', () => {
  test('is whole, at least 1, and below its bound, however many failures there were', () => {
    const policy = { baseMs: 100, maxMs: 5_000 }
    assert(
      property(integer({ min: 1, max: 1e9 }), drawn, integer({ min: 0, max: 1e7 }), (failures, draw, afterMs) => {
        const delayMs = backoffMs(policy, failures, draw, afterMs)
        expect(Number.isInteger(delayMs)).toBe(true)
        expect(delayMs).toBeGreaterThanOrEqual(Math.max(1, afterMs))
        expect(delayMs).toBeLessThanOrEqual(afterMs + Math.min(5_000, 100 * 2 ** (failures - 1)))
      }),
    )
  })

  test('takes all of its range, and doubles it with each failure', () => {
    const policy = { baseMs: 100, maxMs: 5_000 }
    expect(backoffMs(policy, 1, 0)).toBe(1)
    expect([1, 2, 3, 7].map((failures) => backoffMs(policy, failures, 0.9999999))).toEqual([100, 200, 400, 5_000])
  })
})

describe('afterFailure', () => {
  test('holds longer with each failure in a row, up to a bound, and only for so long', () => {
    const policy = { baseMs: 100, maxMs: 1_000 }
    let breaker = passing
    const heldFor: number[] = []
    for (let failure = 0; failure < 6; failure += 1) {
      breaker = afterFailure(breaker, { cause: 'hanging', nowMs: 10_000 * failure, drawn: 0.9999999 }, policy)
      heldFor.push(heldMs(breaker, 10_000 * failure))
      expect(heldMs(breaker, 10_000 * failure + 1_001)).toBe(0)
    }
    expect(heldFor).toEqual([100, 200, 400, 800, 1_000, 1_000])
    expect(heldMs(passing, 5)).toBe(0)
  })
})

describe('failureCause', () => {
  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'out-of-memory'],
    ["READONLY You can't write against a read only replica.", 'read-only'],
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ['MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to disk', 'unwritable'],
    ['NOAUTH Authentication required.', 'refused'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'refused'],
    ['CLUSTERDOWN The cluster is down', 'no-quorum'],
    ['Command timed out', 'hanging'],
    ['connect ECONNREFUSED 127.0.0.1:6379', 'away'],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'away'],
    ['something else', 'other'],
  ])('%s: %s', (message, cause) => {
    expect(failureCause(message)).toBe(cause)
  })
})

describe('take', () => {
  const rate = { perSecond: 10, burst: 5 }

  test('never grants more than burst and the rate allow, whatever the times and sizes', () => {
    const wanted = array(integer({ min: 1, max: 9 }), { maxLength: 40 })
    assert(
      property(wanted, array(integer({ min: 0, max: 900 }), { minLength: 40, maxLength: 40 }), (sizes, gaps) => {
        let bucket = { tokens: rate.burst, atMs: 0 }
        let nowMs = 0
        let granted = 0
        sizes.forEach((size, index) => {
          nowMs += gaps[index] ?? 0
          const taken = take(bucket, rate, size, nowMs)
          bucket = taken.bucket
          if (taken.waitMs === 0) granted += size
          // the last one may leave a debt of what exceeds the burst
          expect(granted).toBeLessThanOrEqual(rate.burst + (nowMs * rate.perSecond) / 1000 + 9)
        })
      }),
    )
  })

  test('what it says to wait is enough, also for more than the burst', () => {
    for (const size of [1, 5, 50]) {
      const { bucket, waitMs } = take({ tokens: 0, atMs: 0 }, rate, size, 0)
      expect(waitMs).toBe(Math.min(size, 5) * 100)
      expect(take(bucket, rate, size, waitMs).waitMs).toBe(0)
    }
  })

  test('shareOf: the shares of all together are the rate, and a share can always grant one', () => {
    expect(shareOf(rate, 4)).toEqual({ perSecond: 2.5, burst: 1.25 })
    expect(shareOf(rate, 50)).toEqual({ perSecond: 0.2, burst: 1 })
    expect(shareOf(rate, 0)).toEqual(rate)
  })
})

describe('problemsOf', () => {
  const well: RedisHealth = {
    ...{ address: 'redis://h:1', link: 'ready', linkError: undefined, breaker: passing },
    ...{ evictionPolicy: 'noeviction', version: '7.0.15' },
  }
  const codes = (health: Partial<RedisHealth>): string[] => problemsOf({ ...well, ...health }).map(({ code }) => code)

  test('is empty while all is well, before the first answer, and where Redis does not say', () => {
    expect(codes({})).toEqual([])
    expect(codes({ link: 'connecting' })).toEqual([])
    expect(codes({ evictionPolicy: undefined, version: undefined })).toEqual([])
  })

  test('names what is wrong, with the address and what to do', () => {
    expect(codes({ link: 'away' })).toEqual(['redis-away'])
    expect(codes({ link: 'connecting', linkError: 'connect ECONNREFUSED' })).toEqual(['redis-away'])
    expect(codes({ link: 'away', linkError: 'WRONGPASS invalid' })).toEqual(['redis-refused'])
    expect(codes({ evictionPolicy: 'allkeys-lru', version: '6.0.1' })).toEqual(['redis-evicts', 'redis-too-old'])
    const breaker = afterFailure(passing, { cause: 'out-of-memory', nowMs: 0, drawn: 0 }, { baseMs: 1, maxMs: 1 })
    expect(problemsOf({ ...well, breaker })).toEqual([
      {
        code: 'redis-out-of-memory',
        message: 'Redis at redis://h:1 has reached maxmemory and refuses writes',
        nextStep: 'raise maxmemory, or find what else fills this Redis',
      },
    ])
  })
})
