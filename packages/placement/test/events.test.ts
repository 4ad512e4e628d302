import { describe, expect, test } from '@jest/globals'
import type { Situation } from '../src/index.ts'
import { plan } from '../src/index.ts'
import { expectSound } from './invariants.ts'
import { collector, collectors, evenLoad, lognormal, manyGroups, seeded, strategies, without } from './situations.ts'

type Event = (situation: Situation, random: () => number, step: number) => Situation

const pick = <T>(list: readonly T[], random: () => number): T | undefined => list[Math.floor(random() * list.length)]

const death: Event = (situation, random) => without(situation, pick(situation.collectors, random)?.id ?? '')

const join: Event = ({ collectors, groups }, random, step) => ({
  collectors: [...collectors, collector(`late${step}`, random() < 0.5 ? 100 : 200)],
  groups,
})

const drift: Event = ({ collectors, groups }, random) => ({
  collectors,
  groups: groups.map((group) => ({
    ...group,
    load: group.load && evenLoad(group.load.recordsPerSecond * lognormal(random, 0.4)),
  })),
})

const newcomers: Event = ({ collectors, groups }, random, step) => ({
  collectors,
  groups: [
    ...groups.slice(groups.length > 300 ? 40 : 0),
    ...Array.from({ length: Math.floor(random() * 30) }, (_, at) => ({
      name: `late${step}/${at}`,
      load: random() < 0.3 ? undefined : evenLoad(lognormal(random, 1.5)),
      server: undefined,
    })),
  ],
})

const admin: Event = ({ collectors, groups }, random) => {
  const chosen = pick(collectors, random)?.id
  const next = pick(['serve', 'serve', 'cordon', 'drain'] as const, random) ?? 'serve'
  return { collectors: collectors.map((other) => (other.id === chosen ? { ...other, admin: next } : other)), groups }
}

const events: readonly Event[] = [death, death, join, join, drift, drift, newcomers, admin, admin]

describe.each(strategies)('plan %s', (strategy) => {
  test.each([1])('keeps every invariant and rests after each of 200 successive events, seed %i', (seed) => {
    const random = seeded(seed)
    let situation: Situation = { collectors: collectors(8, [100, 200]), groups: manyGroups(200, seed) }
    for (let step = 0; step < 200; step++) {
      situation = (pick(events, random) ?? drift)(situation, random, step)
      situation = expectSound(situation, plan(strategy, situation))
      expect(plan(strategy, situation).moves).toEqual([])
    }
  })
})
