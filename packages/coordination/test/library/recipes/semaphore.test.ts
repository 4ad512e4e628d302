import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { inOrder } from '../../../src/line/line.ts'
import { decideLease } from '../../../src/recipes/lock/semaphore.ts'

describe('decideLease', () => {
  const lineOf = (count: number): string[] =>
    inOrder(Array.from({ length: count }, (_, place) => `0123456789abcdef-lease-${String(place).padStart(10, '0')}`))

  test('as many hold as there are leases, one is the first that waits, each other waits for the one before it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 50 }), (count, leases) => {
        const line = lineOf(count)
        const decisions = line.map((own) => decideLease(line, own, leases))
        expect(decisions.filter((one) => one === 'holds')).toHaveLength(Math.min(count, leases))
        expect(decisions.filter((one) => one === 'first')).toHaveLength(count > leases ? 1 : 0)
        const awaited = decisions.flatMap((one) => (typeof one === 'object' ? [one.waitsFor] : []))
        expect(awaited).toEqual(line.slice(leases, -1))
        expect(decideLease(line, 'another', leases)).toBe('absent')
      }),
    )
  })
})
