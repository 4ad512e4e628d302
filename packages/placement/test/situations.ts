// The vocabulary of these tests: clusters, things that happen to them, and what is measured by the definitions, computed
// here a second time from the plain data so that the planner does not check itself.
import fc from 'fast-check'
import type { Collector, Group, Load, Plan, Situation, Strategy } from '../src/index.ts'

export const strategies: readonly Strategy[] = ['hash-ring', 'global', 'local']

/** Numbers in [0, 1) that repeat from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function lognormal(random: () => number, sigma = 1): number {
  return Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()))
}

export const evenLoad = (amount: number): Load => ({ bytesPerSecond: amount * 1000, recordsPerSecond: amount })

export function collector(id: string, capacity = 100, admin: Collector['admin'] = 'serve'): Collector {
  return { id, capacity: evenLoad(capacity), admin }
}

/** c0, c1, … with these capacities in turn. */
export function collectors(count: number, capacities: readonly number[] = [100]): Collector[] {
  return Array.from({ length: count }, (_, at) => collector(`c${at}`, capacities[at % capacities.length]))
}

/** New groups g0, g1, … of these loads. */
export function groups(loads: readonly number[], server?: string): Group[] {
  return loads.map((amount, at) => ({ name: `g${at}`, load: evenLoad(amount), server }))
}

export function manyGroups(count: number, seed: number, sigma = 1): Group[] {
  const random = seeded(seed)
  return groups(Array.from({ length: count }, () => lognormal(random, sigma)))
}

export function applied(situation: Situation, { moves }: Plan): Situation {
  const target = new Map(moves.map(({ group, to }) => [group, to]))
  const serverOf = (group: Group): string | undefined => target.get(group.name) ?? group.server
  return {
    collectors: situation.collectors,
    groups: situation.groups.map((group) => ({ ...group, server: serverOf(group) })),
  }
}

export function shuffled<T>(list: readonly T[], seed: number): T[] {
  const random = seeded(seed)
  return list
    .map((value) => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value)
}

export function without({ collectors, groups }: Situation, id: string): Situation {
  return { collectors: collectors.filter((other) => other.id !== id), groups }
}

export function withCollector({ collectors, groups }: Situation, joiner: Collector): Situation {
  return { collectors: [...collectors, joiner], groups }
}

export const bytesOf = (group: Group): number => group.load?.bytesPerSecond ?? 0

/** Σ size of the groups named, for loads of `evenLoad`. */
export function moved({ groups }: Situation, { moves }: Plan): number {
  const names = new Set(moves.map(({ group }) => group))
  const total = groups.reduce((sum, group) => sum + bytesOf(group), 0)
  return groups.reduce((sum, group) => sum + (names.has(group.name) ? bytesOf(group) : 0), 0) / total
}

/** The greatest pressure by the definition, for measured loads of `evenLoad`. */
export function imbalance({ collectors, groups }: Situation): number {
  const load = new Map<string, number>()
  for (const group of groups) {
    if (group.server !== undefined) load.set(group.server, (load.get(group.server) ?? 0) + bytesOf(group))
  }
  const capacity = collectors.reduce((sum, { capacity }) => sum + capacity.bytesPerSecond, 0)
  const level = groups.reduce((sum, group) => sum + bytesOf(group), 0) / capacity
  return Math.max(...collectors.map(({ id, capacity }) => (load.get(id) ?? 0) / capacity.bytesPerSecond / level))
}

const admins: readonly Collector['admin'][] = ['serve', 'serve', 'serve', 'cordon', 'drain']

const anyLoad: fc.Arbitrary<Load | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constant(evenLoad(0)),
  fc.constant(evenLoad(1)),
  fc.nat(30).map(evenLoad),
  fc.constant(evenLoad(5000)),
  fc.record({ bytesPerSecond: fc.nat(10_000), recordsPerSecond: fc.nat(30) }),
  fc.record({ bytesPerSecond: fc.double(), recordsPerSecond: fc.double() }),
)

const anyCollector: fc.Arbitrary<Omit<Collector, 'id'>> = fc.record({
  capacity: fc.oneof(
    fc.constantFrom(50, 100, 200).map(evenLoad),
    fc.record({ bytesPerSecond: fc.constantFrom(0, 1000, Infinity), recordsPerSecond: fc.constantFrom(NaN, 3, 10) }),
  ),
  admin: fc.constantFrom(...admins),
  joining: fc.boolean(),
})

/** Small, coarse and strange situations: no collector, no group, unmeasured, idle and giant groups, odd numbers. */
export const anySituation: fc.Arbitrary<Situation> = fc
  .tuple(
    fc.array(anyCollector, { maxLength: 6 }),
    fc.array(fc.tuple(anyLoad, fc.integer({ min: -2, max: 5 })), { maxLength: 40 }),
  )
  .map(([some, loads]) => ({
    collectors: some.map((rest, at) => ({ ...rest, id: `c${at}` })),
    groups: loads.map(([load, server], at) => ({
      name: `g${at}`,
      load,
      server: server === -1 ? undefined : server === -2 ? 'gone' : `c${server}`,
    })),
  }))
