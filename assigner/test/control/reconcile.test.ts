import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Redistribution } from '@catchment/protocol'
import { clusterOf, graceMs, type SimulatedTree } from '../simulated-tree.ts'

describe('reconcile', () => {
  test('creates the groups that are asked for on the collectors with the least load', () => {
    const tree = clusterOf(3, 30)
    expect(['c0', 'c1', 'c2'].map((id) => tree.owned(id).length)).toEqual([10, 10, 10])
    expect(tree.settle()).toEqual([])
  })

  test('a death lends the dead one’s groups at once, and moves no one else’s', () => {
    const tree = clusterOf(3, 30)
    const before = tree.owned('c0')
    tree.die('c0')
    const changes = tree.settle()
    expect(changes.map(({ group }) => group).sort()).toEqual(before)
    expect(new Set(changes.map((change) => change.do))).toEqual(new Set(['lend']))
    expect(tree.settle({ join: true, balance: true })).toEqual([])
    for (const group of before) expect(['c1', 'c2']).toContain(tree.servers(group)[0])
  })

  test('a return within the grace ends the loans: all is as it was', () => {
    const tree = clusterOf(3, 30)
    const before = ['c0', 'c1', 'c2'].map((id) => tree.owned(id))
    tree.die('c0')
    tree.settle()
    tree.now += graceMs - 1
    expect(tree.settle()).toEqual([])
    tree.join('c0')
    tree.settle()
    expect(['c0', 'c1', 'c2'].map((id) => tree.owned(id))).toEqual(before)
    expect(tree.settle()).toEqual([])
  })

  test('after the grace a loan becomes ownership, and nothing moves a second time', () => {
    const tree = clusterOf(3, 30)
    tree.die('c0')
    tree.settle()
    const servers = new Map([...tree.groups()].map((group) => [group, tree.servers(group)]))
    tree.now += graceMs
    expect(new Set(tree.settle().map((change) => change.do))).toEqual(new Set(['keep']))
    expect(tree.owned('c0')).toEqual([])
    for (const [group, server] of servers) expect(tree.servers(group)).toEqual(server)
    expect(tree.settle()).toEqual([])
  })

  test('a borrower that dies too: its loans are lent again, and the grace still counts from the first', () => {
    const tree = clusterOf(3, 30)
    tree.die('c0')
    tree.settle()
    tree.now += graceMs / 2
    tree.die('c1')
    tree.settle()
    for (const group of tree.groups()) expect(tree.servers(group)).toEqual(['c2'])
    tree.now += graceMs / 2
    const kept = tree.settle()
    expect(kept.every((change) => change.do === 'keep' && change.owner === 'c0')).toBe(true)
    expect(kept).toHaveLength(10)
  })

  test('drain moves for good, living or gone; cordon keeps and receives nothing', () => {
    const tree = clusterOf(4, 40)
    tree.admin('c0', 'drain')
    tree.admin('c1', 'cordon')
    expect(new Set(tree.settle().map((change) => change.do))).toEqual(new Set(['move']))
    expect(tree.owned('c0')).toEqual([])
    expect(tree.owned('c1')).toHaveLength(10)
    tree.admin('c2', 'drain')
    tree.die('c2')
    tree.settle()
    expect(tree.owned('c3')).toHaveLength(30)
    expect(tree.settle()).toEqual([])
  })

  test('a join gets its fair share under local, and only once the leader has measured', () => {
    const tree = clusterOf(3, 30)
    tree.join('c3')
    expect(tree.settle({ join: false, balance: false })).toEqual([])
    const changes = tree.settle()
    expect(changes.every((change) => change.do === 'move' && change.to === 'c3')).toBe(true)
    expect(changes.length).toBeGreaterThanOrEqual(7)
    expect(changes.length).toBeLessThanOrEqual(8)
    expect(tree.settle()).toEqual([])
  })

  test('policy global plans all again at a join and after the grace, and then rests', () => {
    const tree = clusterOf(3, 30)
    tree.redistribution = 'global'
    tree.join('c3')
    tree.settle()
    expect(tree.owned('c3').length).toBeGreaterThanOrEqual(7)
    expect(tree.settle()).toEqual([])
    tree.die('c3')
    tree.settle()
    tree.now += graceMs
    tree.settle()
    expect(tree.groups().size).toBe(30)
    expect(tree.settle()).toEqual([])
  })

  test('a moved group leaves word of where it went, for ten minutes', () => {
    const tree = clusterOf(2, 4)
    const [group = ''] = tree.owned('c0')
    tree.admin('c0', 'drain')
    tree.settle()
    expect(tree.lists.get('c0')?.moved[group]).toMatchObject({ to: 'c1' })
    tree.now += 10 * 60_000 + 1
    tree.admin('c0', 'serve')
    tree.admin('c1', 'drain')
    tree.settle()
    expect(tree.lists.get('c0')?.moved).toEqual({})
  })

  test('a group may be called like what every object inherits', () => {
    const tree = clusterOf(2, 0)
    tree.wanted = new Set(['constructor', 'toString', 'hasOwnProperty'])
    tree.settle()
    tree.die('c0')
    tree.settle()
    tree.join('c0')
    tree.settle()
    for (const group of ['constructor', 'toString', 'hasOwnProperty']) expect(tree.servers(group)).toHaveLength(1)
  })
})

type ClusterEvent =
  | { readonly do: 'join' | 'die' | 'serve' | 'cordon' | 'drain'; readonly id: string }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'ask' | 'load'; readonly group: string; readonly bytes: number }
  | { readonly do: 'rebalance'; readonly mode: Redistribution }
  | { readonly do: 'policy'; readonly mode: Redistribution }

const id = fc.constantFrom('c0', 'c1', 'c2', 'c3', 'c4')
const mode = fc.constantFrom<Redistribution>('local', 'global', 'hash-ring')
const group = fc.integer({ min: 0, max: 20 }).map((number) => `h${number}`)
const event: fc.Arbitrary<ClusterEvent> = fc.oneof(
  fc.record({ do: fc.constantFrom<'join' | 'die'>('join', 'die'), id }),
  fc.record({ do: fc.constantFrom<'join' | 'die'>('join', 'die'), id }),
  fc.record({ do: fc.constantFrom<'serve' | 'cordon' | 'drain'>('serve', 'cordon', 'drain'), id }),
  fc.record({ do: fc.constant<'wait'>('wait'), ms: fc.constantFrom(1_000, graceMs / 2, graceMs, 700_000) }),
  fc.record({
    do: fc.constantFrom<'ask' | 'load'>('ask', 'load'),
    group,
    bytes: fc.integer({ min: 0, max: 1_000_000 }),
  }),
  fc.record({ do: fc.constantFrom<'rebalance' | 'policy'>('rebalance', 'policy'), mode }),
)

function happen(tree: SimulatedTree, happening: ClusterEvent): void {
  switch (happening.do) {
    case 'join':
      tree.join(happening.id)
      return
    case 'die':
      tree.die(happening.id)
      return
    case 'serve':
    case 'cordon':
    case 'drain':
      tree.admin(happening.id, happening.do)
      return
    case 'wait':
      tree.now += happening.ms
      return
    case 'ask':
      if (!tree.groups().has(happening.group)) tree.wanted.add(happening.group)
      return
    case 'load':
      tree.loads.set(happening.group, { bytesPerSecond: happening.bytes, recordsPerSecond: happening.bytes / 100 })
      return
    case 'policy':
      tree.redistribution = happening.mode
      return
    case 'rebalance':
      tree.settle({ join: true, balance: true, demanded: happening.mode })
  }
}

/** Serving and living: somebody could take a group. */
function canReceive(tree: SimulatedTree): boolean {
  return [...tree.collectors.values()].some(({ living, admin }) => living && admin === 'serve')
}

describe('reconcile over random events, lost answers and changes of leader', () => {
  const step = fc.record({ event, balance: fc.boolean(), settles: fc.boolean(), losesAnswer: fc.boolean() })

  test('keeps the invariants, forgets no group, serves all at rest, and is idempotent', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const tree = clusterOf(3, 12)
        for (const { event: happening, balance, settles, losesAnswer } of steps) {
          const known = tree.groups()
          happen(tree, happening)
          if (settles) tree.settle({ join: true, balance }, losesAnswer)
          for (const name of known) expect(tree.groups()).toContain(name)
        }
        tree.settle({ join: true, balance: false })
        expect(tree.settle({ join: true, balance: false })).toEqual([])
        for (const name of tree.groups()) {
          const servers = tree.servers(name)
          expect(servers.length).toBeLessThanOrEqual(1)
          if (canReceive(tree)) expect(tree.collectors.get(servers[0] ?? '')?.living).toBe(true)
        }
        if (canReceive(tree)) expect([...tree.wanted].filter((name) => !tree.groups().has(name))).toEqual([])
      }),
      { numRuns: 150 },
    )
  })

  test('under local a death moves only the dead one’s groups, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), id, (events, victim) => {
        const tree = clusterOf(3, 12)
        for (const happening of events) happen(tree, happening)
        tree.redistribution = 'local'
        tree.settle()
        tree.settle({ join: true, balance: true })
        const servedByVictim = [...tree.groups()].filter((name) => tree.servers(name).includes(victim))
        tree.die(victim)
        const moved = tree.settle({ join: true, balance: false }).map(({ group: name }) => name)
        expect(moved.filter((name) => !servedByVictim.includes(name))).toEqual([])
      }),
      { numRuns: 150 },
    )
  })
})
