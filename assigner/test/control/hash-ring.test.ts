import { beforeEach, describe, expect, test } from '@jest/globals'
import { weightedRing } from '@catchment/hashing'
import { clusterOf, graceMs, type SimulatedTree } from '../simulated-tree.ts'

/** Who serves each group, by group. */
function serversOf(tree: SimulatedTree): Map<string, string | undefined> {
  return new Map([...tree.groups()].sort().map((group) => [group, tree.servers(group)[0]]))
}

/** Where the ring of these collectors, all of one capacity, has each group. */
function placesOn(tree: SimulatedTree, ids: readonly string[]): Map<string, string | undefined> {
  const ring = weightedRing(ids.map((id) => ({ id, capacity: 1 })))
  return new Map([...tree.groups()].sort().map((group) => [group, ids[ring.ownerOf(group)]]))
}

describe('the policy hash-ring', () => {
  let tree: SimulatedTree

  beforeEach(() => {
    tree = clusterOf(4, 200, 'hash-ring')
  })

  test('a group is created where the ring has it, and neither loads nor rounds of balancing move it', () => {
    const places = placesOn(tree, ['c0', 'c1', 'c2', 'c3'])
    expect(serversOf(tree)).toEqual(places)
    for (const group of tree.owned('c0')) tree.loads.set(group, { bytesPerSecond: 1e9, recordsPerSecond: 1e6 })
    expect(tree.settle({ join: true, balance: true })).toEqual([])
  })

  test('a death lends to the others’ places; a return gives back what was lent, and all is where it was', () => {
    const before = serversOf(tree)
    const lost = tree.owned('c1')
    tree.die('c1')
    const changes = tree.settle()
    expect(changes.map(({ group }) => group).sort()).toEqual(lost)
    expect(new Set(changes.map((change) => change.do))).toEqual(new Set(['lend']))
    expect(serversOf(tree)).toEqual(placesOn(tree, ['c0', 'c2', 'c3']))
    tree.join('c1')
    expect(new Set(tree.settle().map((change) => change.do))).toEqual(new Set(['return']))
    expect(serversOf(tree)).toEqual(before)
    expect(tree.settle()).toEqual([])
  })

  test('after the grace the loans are kept; who comes back then gets its places again, and nothing else moves', () => {
    const before = serversOf(tree)
    tree.die('c1')
    tree.settle()
    tree.now += graceMs
    expect(new Set(tree.settle().map((change) => change.do))).toEqual(new Set(['keep']))
    expect(tree.settle({ join: true, balance: true })).toEqual([])
    tree.join('c1')
    const back = tree.settle()
    expect(back.every((change) => change.do === 'move' && change.to === 'c1')).toBe(true)
    expect(serversOf(tree)).toEqual(before)
  })

  test('who comes takes its places from the others, once the leader has measured', () => {
    tree.join('c4')
    expect(tree.settle({ join: false, balance: false })).toEqual([])
    const changes = tree.settle()
    expect(changes.length).toBeGreaterThan(20)
    expect(new Set(changes.map(({ why }) => why))).toEqual(new Set(['the hash ring gives it to c4']))
    expect(serversOf(tree)).toEqual(placesOn(tree, ['c0', 'c1', 'c2', 'c3', 'c4']))
    expect(tree.settle({ join: true, balance: true })).toEqual([])
  })

  test('groups that were created while a collector was away go to it when it returns', () => {
    tree.die('c1')
    tree.settle()
    for (let index = 0; index < 50; index += 1) tree.wanted.add(`late${index}`)
    tree.settle()
    tree.join('c1')
    tree.settle()
    expect(serversOf(tree)).toEqual(placesOn(tree, ['c0', 'c1', 'c2', 'c3']))
  })

  test('drain moves to the others’ places for good; cordon keeps what is there; serve ends both', () => {
    const before = serversOf(tree)
    tree.admin('c2', 'drain')
    tree.settle()
    expect(serversOf(tree)).toEqual(placesOn(tree, ['c0', 'c1', 'c3']))
    expect(tree.settle()).toEqual([])
    tree.admin('c2', 'serve')
    tree.settle()
    expect(serversOf(tree)).toEqual(before)
    tree.admin('c3', 'cordon')
    expect(tree.settle()).toEqual([])
    tree.admin('c3', 'serve')
    expect(tree.settle()).toEqual([])
  })

  test('a policy that becomes hash-ring moves every group to its place, and then rests', () => {
    const other = clusterOf(4, 200)
    other.redistribution = 'hash-ring'
    other.settle()
    expect(serversOf(other)).toEqual(placesOn(other, ['c0', 'c1', 'c2', 'c3']))
    expect(other.settle({ join: true, balance: true })).toEqual([])
  })

  test('rebalance plans by the ring under any policy when it is asked to', () => {
    const other = clusterOf(3, 60)
    other.settle({ join: true, balance: true, demanded: 'hash-ring' })
    expect(serversOf(other)).toEqual(placesOn(other, ['c0', 'c1', 'c2']))
  })
})
