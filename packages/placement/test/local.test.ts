import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Situation } from '../src/index.ts'
import { plan, pressures } from '../src/index.ts'
import { expectSound } from './invariants.ts'
import {
  anySituation,
  applied,
  collector,
  collectors,
  evenLoad,
  groups,
  imbalance,
  lognormal,
  manyGroups,
  moved,
  seeded,
  withCollector,
  without,
} from './situations.ts'

const bounded = { seed: 21, numRuns: 15 }

/** 400 groups a collector, evenly placed. */
function settled(seed: number, count: number, capacities: readonly number[] = [100]): Situation {
  const fresh = { collectors: collectors(count, capacities), groups: manyGroups(400 * count, seed) }
  return applied(fresh, plan('global', fresh))
}

const capacities = fc.constantFrom([100], [100, 200])
const seeds = fc.nat(1_000_000)

describe('local: a death', () => {
  test('moves exactly the groups of the dead one, and leaves an imbalance of at most 1.05', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 3, max: 10 }), capacities, (seed, count, some) => {
        const before = settled(seed, count, some)
        const dead = `c${seed % count}`
        const result = plan('local', without(before, dead))
        const own = before.groups.filter(({ server }) => server === dead).map(({ name }) => name)
        expect(result.moves.map(({ group }) => group).sort()).toEqual(own.sort())
        expect(imbalance(expectSound(without(before, dead), result))).toBeLessThanOrEqual(1.05)
      }),
      bounded,
    )
  })

  test('moves exactly the groups of the dead one, however coarse they are, with balance false', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const before = applied(situation, plan('local', situation))
        const rest = without(before, 'c0')
        if (!rest.collectors.some(({ admin }) => admin === 'serve')) return
        const own = before.groups.filter(({ server }) => !rest.collectors.some(({ id }) => id === server))
        const result = plan('local', rest, { balance: false })
        expect(result.moves.map(({ group }) => group).sort()).toEqual(own.map(({ name }) => name).sort())
      }),
      { seed: 22, numRuns: 200 },
    )
  })
})

describe('local: a join', () => {
  test('gives the new one 0.95 to 1.00 of its fair share and moves no more than that', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2, max: 10 }), capacities, (seed, count, some) => {
        const before = withCollector(settled(seed, count, some), collector('new', 100))
        const result = plan('local', before)
        const after = expectSound(before, result)
        const fair = 100_000 / after.collectors.reduce((sum, { capacity }) => sum + capacity.bytesPerSecond, 0)
        expect(moved(before, result)).toBeLessThanOrEqual(fair)
        expect(pressures(after).get('new')).toBeGreaterThanOrEqual(0.95)
        expect(pressures(after).get('new')).toBeLessThanOrEqual(1)
        expect(result.moves.every(({ to, why }) => to === 'new' && why === 'join')).toBe(true)
      }),
      bounded,
    )
  })

  test('goes on with one marked as joining until it is full, and not with one that drifted there', () => {
    const joined = withCollector(settled(1, 20), collector('new'))
    const part = plan('local', joined, { joinShareMax: 0.03 })
    const later = applied(joined, part)
    expect(moved(joined, part)).toBeLessThanOrEqual(0.03)
    expect(pressures(later).get('new')).toBeLessThan(0.95)
    expect(pressures(later).get('new')).toBeGreaterThan(0.5)
    expect(plan('local', later).moves).toEqual([])
    const marked = {
      ...later,
      collectors: later.collectors.map((other) => (other.id === 'new' ? { ...other, joining: true } : other)),
    }
    expect(pressures(applied(marked, plan('local', marked))).get('new')).toBeGreaterThanOrEqual(0.95)
  })

  test.each([
    ['three equal groups on one', [10, 10, 10]],
    ['one giant among small ones', [90, 5, 4, 1]],
    ['two of them', [30, 20]],
    ['two equal', [10, 10]],
  ])('gives a new one some of a few coarse groups: %s', (_, loads) => {
    const before = { collectors: collectors(2), groups: groups(loads, 'c0') }
    const after = expectSound(before, plan('local', before))
    expect(after.groups.some(({ server }) => server === 'c1')).toBe(true)
    expect(imbalance(after)).toBeLessThan(imbalance(before))
  })

  test('leaves a new one idle when there are no more groups than collectors had', () => {
    const before = { collectors: collectors(2), groups: groups([10], 'c0') }
    expect(plan('local', before).moves).toEqual([])
  })
})

describe('local: balance', () => {
  test('moves nothing while the imbalance is at most 1.10, and repairs to 1.05 above it', () => {
    let quiet = 0
    let repaired = 0
    for (let seed = 0; seed < 20; seed++) {
      const random = seeded(seed)
      const { collectors, groups } = settled(seed, 10)
      const spread = seed % 2 === 0 ? 0.2 : 0.8
      const drifted = {
        collectors,
        groups: groups.map((group) => ({
          ...group,
          load: evenLoad((group.load?.recordsPerSecond ?? 0) * lognormal(random, spread)),
        })),
      }
      const before = imbalance(drifted)
      const result = plan('local', drifted)
      if (before <= 1.1) {
        quiet++
        expect(result.moves).toEqual([])
        continue
      }
      repaired++
      const after = expectSound(drifted, result)
      const lower = [...pressures(drifted).values()].reduce((sum, p) => sum + Math.max(0, p - 1.05), 0) / 10
      expect(imbalance(after)).toBeLessThanOrEqual(1.05 + 1e-4)
      expect(moved(drifted, result) / lower).toBeLessThanOrEqual(1.3)
      expect(new Set(result.moves.map(({ why }) => why))).toEqual(new Set(['balance']))
    }
    expect(quiet).toBeGreaterThan(3)
    expect(repaired).toBeGreaterThan(3)
  })

  test.each([
    [108, 108],
    [110, 110],
    [112, 105],
    [130, 105],
  ])('brings the first of two collectors from %i percent to %i', (percent, left) => {
    const equal = groups(Array.from({ length: 200 }, () => 1))
    const placed = equal.map((group, at) => ({ ...group, server: at < percent ? 'c0' : 'c1' }))
    const before = { collectors: collectors(2), groups: placed }
    const after = applied(before, plan('local', before))
    expect(after.groups.filter(({ server }) => server === 'c0')).toHaveLength(left)
  })

  test('exchanges groups where no single one can move', () => {
    const on = (server: string, loads: readonly number[]) =>
      groups(loads, server).map((group) => ({ ...group, name: `${server}/${group.name}` }))
    const before = { collectors: collectors(2), groups: [...on('c0', [30, 30]), ...on('c1', [20, 20])] }
    const result = plan('local', before)
    expect(result.moves).toHaveLength(2)
    expect(imbalance(expectSound(before, result))).toBe(1)
  })

  test('moves no more than its budget, and forced groups beyond it', () => {
    const many = manyGroups(1000, 5)
    const hot = many.map((group, at) => ({ ...group, server: at < 100 ? 'gone' : at < 900 ? 'c0' : 'c1' }))
    const before = { collectors: collectors(2), groups: hot }
    const result = plan('local', before, { movedShareMax: 0.01, joinShareMax: 0.01 })
    const orphans = result.moves.filter(({ why }) => why === 'orphan')
    expect(orphans).toHaveLength(100)
    const others = result.moves.filter(({ why }) => why !== 'orphan')
    expect(others.length).toBeGreaterThan(0)
    expect(moved(before, { ...result, moves: others })).toBeLessThanOrEqual(0.02)
  })

  test.each([
    [
      'three equal groups on two collectors',
      [
        ['c0', 10],
        ['c0', 10],
        ['c1', 10],
      ],
    ],
    [
      'one group of nearly all load',
      [
        ['c0', 99],
        ['c1', 0.5],
        ['c1', 0.5],
      ],
    ],
    ['one group in all', [['c0', 99]]],
  ] as const)('leaves alone what cannot get better: %s', (_, held) => {
    const placed = held.map(([server, amount], at) => ({ name: `g${at}`, load: evenLoad(amount), server }))
    expect(plan('local', { collectors: collectors(2), groups: placed }).moves).toEqual([])
  })

  test('never raises the greatest pressure of those that serve', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const some = situation.collectors.filter(({ admin }) => admin === 'serve')
        const forced = applied(
          { ...situation, collectors: some },
          plan('local', { ...situation, collectors: some }, { balance: false }),
        )
        const result = plan('local', forced)
        expect(result.imbalanceAfter).toBeLessThanOrEqual(result.imbalanceBefore)
        if (result.imbalanceBefore <= 1.1) expect(result.moves.filter(({ why }) => why === 'balance')).toEqual([])
      }),
      { seed: 23, numRuns: 250 },
    )
  })
})

describe('local: cordon and drain', () => {
  test('a drained one ends empty, a cordoned one keeps what it has and receives nothing', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { collectors, groups } = settled(seed, 6)
        const before: Situation = {
          collectors: collectors.map((other) =>
            other.id === 'c0'
              ? { ...other, admin: 'drain' }
              : other.id === 'c1'
                ? { ...other, admin: 'cordon' }
                : other,
          ),
          groups: groups.map((group) => (group.server === 'c2' ? { ...group, server: 'gone' } : group)),
        }
        const held = (situation: Situation, id: string): string[] =>
          situation.groups.filter(({ server }) => server === id).map(({ name }) => name)
        const after = expectSound(before, plan('local', before))
        expect(held(after, 'c0')).toEqual([])
        expect(held(after, 'c1')).toEqual(held(before, 'c1'))
        const serving = [...pressures(after)].filter(([id]) => id !== 'c0' && id !== 'c1').map(([, p]) => p)
        expect(Math.max(...serving) / Math.min(...serving)).toBeLessThan(1.06)
      }),
      bounded,
    )
  })
})
