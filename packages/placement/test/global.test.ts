import { describe, expect, test } from '@jest/globals'
import { plan } from '../src/index.ts'
import { expectSound } from './invariants.ts'
import { applied, collectors, evenLoad, groups, imbalance, manyGroups, moved, without } from './situations.ts'

describe('global', () => {
  test.each([
    ['equal', [100], 1],
    ['1:2', [100, 200], 1],
    ['1:2 and heavier tails', [100, 200], 1.5],
  ])('reaches an imbalance of 1.01 with 10,000 groups on 20 collectors of %s capacities', (_, capacities, sigma) => {
    const before = { collectors: collectors(20, capacities), groups: manyGroups(10_000, 6, sigma) }
    const after = expectSound(before, plan('global', before))
    expect(imbalance(after)).toBeLessThanOrEqual(1.01)
    expect(plan('global', after).moves).toEqual([])
  })

  test('is even in two dimensions that differ', () => {
    const records = manyGroups(10_000, 7)
    const both = manyGroups(10_000, 8).map((group, at) => ({
      ...group,
      load: {
        bytesPerSecond: group.load?.bytesPerSecond ?? 0,
        recordsPerSecond: records[at]?.load?.recordsPerSecond ?? 0,
      },
    }))
    expect(plan('global', { collectors: collectors(20), groups: both }).imbalanceAfter).toBeLessThanOrEqual(1.01)
  })

  test('after a death keeps equal groups where they are, but for those of the dead one', () => {
    const fresh = { collectors: collectors(11), groups: groups(Array.from({ length: 1100 }, () => 3)) }
    const rest = without(applied(fresh, plan('global', fresh)), 'c4')
    const result = plan('global', rest)
    expect(result.moves).toHaveLength(100)
    expect(result.moves.every(({ why }) => why === 'orphan')).toBe(true)
  })

  test('keeps what can stay when one group has doubled', () => {
    const fresh = { collectors: collectors(10), groups: groups(Array.from({ length: 1000 }, () => 3)) }
    const { groups: placed } = applied(fresh, plan('global', fresh))
    const grown = {
      collectors: fresh.collectors,
      groups: placed.map((group) =>
        group.name === 'g7' ? { ...group, load: { bytesPerSecond: 6000, recordsPerSecond: 6 } } : group,
      ),
    }
    expect(moved(grown, plan('global', grown))).toBeLessThanOrEqual(0.002)
  })

  test('gives each bin to the collector that holds most of it, so that only the new group moves', () => {
    const held = [
      ['big', 10, 'c2'],
      ['middle', 9, 'c0'],
      ['small', 8, 'c1'],
      ['fresh', 1, undefined],
    ] as const
    const placed = held.map(([name, amount, server]) => ({ name, load: evenLoad(amount), server }))
    expect(plan('global', { collectors: collectors(3), groups: placed }).moves).toEqual([
      { group: 'fresh', from: undefined, to: 'c1', why: 'new' },
    ])
  })

  test('leaves an even cluster alone, however it came to be', () => {
    const placed = groups([5, 5, 3, 3, 2, 2]).map((group, at) => ({ ...group, server: at % 2 === 0 ? 'c1' : 'c0' }))
    expect(plan('global', { collectors: collectors(2), groups: placed }).moves).toEqual([])
  })
})
