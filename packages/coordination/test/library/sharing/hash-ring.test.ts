import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { divide, hashRing, type RingMember } from '../../../src/recipes.ts'

const members = (count: number): RingMember[] => Array.from({ length: count }, (_, at) => ({ id: `member-${at}` }))
const keys = (count: number): string[] => Array.from({ length: count }, (_, at) => `item-${at}`)

function loads(division: ReadonlyMap<string, string>): Map<string, number> {
  const counted = new Map<string, number>()
  for (const owner of division.values()) counted.set(owner, (counted.get(owner) ?? 0) + 1)
  return counted
}

const greatest = (division: ReadonlyMap<string, string>): number => Math.max(...loads(division).values())

function moved(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): number {
  return [...before].filter(([key, owner]) => after.get(key) !== owner).length / before.size
}

describe('divide', () => {
  test('greatest load over mean is at most 1.05, or the mean rounded up', () => {
    const over = [3, 10, 100, 1_000].map((count) => (greatest(divide(keys(10_000), members(count))) * count) / 10_000)
    expect(Math.max(...over)).toBeLessThanOrEqual(1.05)
    expect(greatest(divide(keys(10), members(3)))).toBe(4)
    expect(greatest(divide(keys(3), members(3)))).toBe(1)
  })

  test('3 to 6 members moves half, and back again to the same owners', () => {
    const [three, six] = [divide(keys(10_000), members(3)), divide(keys(10_000), members(6))]
    expect(moved(three, six)).toBeCloseTo(0.5, 2)
    expect(moved(three, divide(keys(10_000), members(3)))).toBe(0)
  })

  test('one member more or less moves at most 1.6 times what has to move', () => {
    for (const count of [3, 10, 100]) {
      const now = divide(keys(10_000), members(count))
      expect(moved(now, divide(keys(10_000), members(count + 1))) * (count + 1)).toBeLessThan(1.6)
      const without = divide(keys(10_000), members(count).slice(1))
      expect(moved(now, without) / ((loads(now).get('member-0') ?? 0) / 10_000)).toBeLessThan(1.6)
    }
  })

  test('a share is in proportion to the weight', () => {
    const division = divide(keys(10_000), [{ id: 'one' }, { id: 'two', weight: 2 }, { id: 'five', weight: 5 }])
    const counted = loads(division)
    for (const [id, weight] of [
      ['one', 1],
      ['two', 2],
      ['five', 5],
    ] as const)
      expect(Math.abs((counted.get(id) ?? 0) / ((weight / 8) * 10_000) - 1)).toBeLessThan(0.051)
    expect(() => divide([], [{ id: 'none', weight: 0 }])).toThrow('members[0].weight is a finite number above 0, not 0')
  })

  test('depends on the sets alone; every key has an owner, none more than its quota', () => {
    const ids = fc.uniqueArray(fc.record({ id: fc.string(), weight: fc.integer({ min: 1, max: 9 }) }), {
      selector: ({ id }) => id,
      maxLength: 12,
    })
    fc.assert(
      fc.property(ids, fc.array(fc.string(), { maxLength: 200 }), (some, wanted) => {
        const division = divide(wanted, some)
        expect(divide(wanted.toReversed(), some.toReversed())).toEqual(division)
        expect(division.size).toBe(some.length === 0 ? 0 : new Set(wanted).size)
        const total = some.reduce((sum, { weight }) => sum + weight, 0)
        for (const { id, weight } of some) {
          const share = (division.size * weight) / total
          expect(loads(division).get(id) ?? 0).toBeLessThanOrEqual(Math.max(Math.ceil(share), share * 1.05))
        }
      }),
    )
  })
})

describe('hashRing', () => {
  test('owners of unlisted keys: even, and most keys stay when one comes', () => {
    const [ten, eleven] = [hashRing(members(10)), hashRing(members(11))]
    const owners = new Map(keys(100_000).map((key) => [key, ten.ownerOf(key) ?? '']))
    expect(greatest(owners) / 10_000).toBeLessThan(1.1)
    expect(moved(owners, new Map(keys(100_000).map((key) => [key, eleven.ownerOf(key) ?? ''])))).toBeLessThan(0.12)
    expect(hashRing([]).ownerOf('any')).toBeUndefined()
  })
})
