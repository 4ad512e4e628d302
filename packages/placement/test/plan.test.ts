import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { plan, pressures } from '../src/index.ts'
import { expectSound } from './invariants.ts'
import {
  anySituation,
  collector,
  collectors,
  evenLoad,
  groups,
  imbalance,
  manyGroups,
  shuffled,
  strategies,
} from './situations.ts'

const bounded = { seed: 20, numRuns: 250 }

describe.each(strategies)('plan %s', (strategy) => {
  test('places every group on a collector that serves, or says that there is none', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        expectSound(situation, plan(strategy, situation))
      }),
      bounded,
    )
  })

  test('moves nothing on its own result', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const after = expectSound(situation, plan(strategy, situation))
        expect(plan(strategy, after).moves).toEqual([])
      }),
      bounded,
    )
  })

  test('does not depend on the order of groups or collectors, nor on anything but the situation', () => {
    fc.assert(
      fc.property(anySituation, fc.nat(), (situation, seed) => {
        const other = {
          collectors: shuffled(situation.collectors, seed),
          groups: shuffled(situation.groups, seed + 1),
        }
        expect(plan(strategy, other)).toEqual(plan(strategy, situation))
      }),
      bounded,
    )
  })

  test('with balance false moves only what is forced, and that to the last', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const only = plan(strategy, situation, { balance: false })
        const after = expectSound(situation, only)
        for (const { why } of only.moves) expect(['orphan', 'new', 'drain']).toContain(why)
        expect(plan(strategy, after, { balance: false }).moves).toEqual([])
      }),
      bounded,
    )
  })

  test('does not depend on the order of many groups with fractional loads', () => {
    const many = manyGroups(2000, 3)
    const some = collectors(7, [100, 130])
    const other = { collectors: shuffled(some, 1), groups: shuffled(many, 2) }
    expect(plan(strategy, other)).toEqual(plan(strategy, { collectors: some, groups: many }))
  })

  test('says the imbalance before and after as the definition has it', () => {
    const before = { collectors: collectors(5, [100, 200]), groups: manyGroups(500, 4).map(on('c1')) }
    const result = plan(strategy, before)
    expect(result.imbalanceBefore).toBeCloseTo(imbalance(before), 9)
    expect(result.imbalanceAfter).toBeCloseTo(imbalance(expectSound(before, result)), 3)
  })

  test('refuses two collectors of one id', () => {
    const twice = { collectors: [collector('c1'), collector('c1')], groups: [] }
    expect(() => plan(strategy, twice)).toThrow('"c1" is listed twice')
  })
})

const on = (server: string) => (group: ReturnType<typeof groups>[number]) => ({ ...group, server })

describe.each(['global', 'local'] as const)('plan %s', (strategy) => {
  test.each([
    ['unmeasured', undefined],
    ['without traffic', evenLoad(0)],
  ])('spreads groups that are all %s by count', (_, load) => {
    const all = groups(Array.from({ length: 100 }, () => 0)).map((group) => ({ ...group, load }))
    const after = expectSound(
      { collectors: collectors(4), groups: all },
      plan(strategy, { collectors: collectors(4), groups: all }),
    )
    for (const { id } of after.collectors) expect(after.groups.filter(({ server }) => server === id)).toHaveLength(25)
  })

  test('counts an unmeasured group as the mean of the measured ones', () => {
    const all = groups([40, 20, 30, 0]).map((group) => (group.name === 'g3' ? { ...group, load: undefined } : group))
    const after = expectSound(
      { collectors: collectors(2), groups: all },
      plan(strategy, { collectors: collectors(2), groups: all }),
    )
    const serverOf = (name: string): string | undefined => after.groups.find((group) => group.name === name)?.server
    expect(serverOf('g0')).toBe(serverOf('g1'))
    expect(serverOf('g2')).toBe(serverOf('g3'))
  })
})

describe('pressures', () => {
  test('is the greater of both dimensions, relative to capacity and to the cluster', () => {
    const situation = {
      collectors: [collector('a', 100), collector('b', 300)],
      groups: [
        { name: 'x', load: { bytesPerSecond: 300, recordsPerSecond: 1 }, server: 'a' },
        { name: 'y', load: { bytesPerSecond: 500, recordsPerSecond: 7 }, server: 'b' },
      ],
    }
    const pressure = pressures(situation)
    expect(pressure.get('a')).toBeCloseTo(1.5, 6)
    expect(pressure.get('b')).toBeCloseTo((7 / 300 / 8) * 400, 6)
  })

  test('is 0 without groups', () => {
    expect([...pressures({ collectors: collectors(2), groups: [] })]).toEqual([
      ['c0', 0],
      ['c1', 0],
    ])
  })

  test('ignores a dimension that no collector states', () => {
    const capacity = { bytesPerSecond: 1000, recordsPerSecond: NaN }
    const pressure = pressures({
      collectors: [
        { id: 'a', capacity, admin: 'serve' },
        { id: 'b', capacity, admin: 'serve' },
      ],
      groups: [
        { name: 'x', load: { bytesPerSecond: 1, recordsPerSecond: 1000 }, server: 'a' },
        { name: 'y', load: { bytesPerSecond: 1, recordsPerSecond: 1 }, server: 'b' },
      ],
    })
    expect([...pressure.values()]).toEqual([1, 1])
  })
})
