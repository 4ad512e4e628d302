import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { plan, pressures } from '../src/index.ts'
import { expectSound } from './invariants.ts'
import { applied, collector, collectors, evenLoad, groups, withCollector, without } from './situations.ts'

const equal = groups(Array.from({ length: 10_000 }, () => 1))

describe('hash-ring', () => {
  test('moves only to a collector that comes, and only from one that goes, whatever their capacities', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 2, maxLength: 12 }), (capacities) => {
        const fresh = { collectors: collectors(capacities.length, capacities), groups: equal.slice(0, 500) }
        const all = applied(fresh, plan('hash-ring', fresh))
        const gone = plan('hash-ring', without(all, 'c0'))
        const own = all.groups.filter(({ server }) => server === 'c0').map(({ name }) => name)
        expect(gone.moves.map(({ group }) => group).sort()).toEqual(own.sort())
        const back = plan('hash-ring', { ...applied(without(all, 'c0'), gone), collectors: all.collectors })
        expect(back.moves.map(({ group }) => group).sort()).toEqual(own)
        expect(back.moves.every(({ to, why }) => to === 'c0' && why === 'ring')).toBe(true)
      }),
      { seed: 24, numRuns: 30 },
    )
  })

  test('a plan that nothing forces moves nothing while the members stay, whatever the loads have become', () => {
    const fresh = { collectors: collectors(5, [100, 300]), groups: equal.slice(0, 1_000) }
    const placed = applied(fresh, plan('hash-ring', fresh))
    const hot = { ...placed, groups: placed.groups.map((group, at) => ({ ...group, load: evenLoad(at * at) })) }
    expect(plan('hash-ring', hot).moves).toEqual([])
  })

  test('new groups, orphans and drained ones go where the whole ring has them, with balance or without', () => {
    const fresh = { collectors: collectors(6), groups: equal.slice(0, 600) }
    const placed = applied(fresh, plan('hash-ring', fresh))
    const drained = {
      ...placed,
      collectors: placed.collectors.map((one) => (one.id === 'c2' ? { ...one, admin: 'drain' as const } : one)),
    }
    for (const situation of [fresh, without(placed, 'c1'), drained])
      expect(plan('hash-ring', situation, { balance: false }).moves).toEqual(plan('hash-ring', situation).moves)
  })

  test('spreads equal groups by capacity', () => {
    const fresh = { collectors: collectors(10, [100, 200]), groups: equal }
    const after = expectSound(fresh, plan('hash-ring', fresh))
    for (const pressure of pressures(after).values()) {
      expect(pressure).toBeGreaterThan(0.7)
      expect(pressure).toBeLessThan(1.3)
    }
  })

  test('gives one that comes about its fair share', () => {
    const fresh = { collectors: collectors(19), groups: equal }
    const before = withCollector(applied(fresh, plan('hash-ring', fresh)), collector('new'))
    expect(pressures(applied(before, plan('hash-ring', before))).get('new')).toBeCloseTo(1, 0)
  })
})
