import { expect, test } from '@jest/globals'
import { emptyCollectorList, type CollectorList } from '@catchment/protocol'
import { seededRandom } from '@catchment/testing'
import { firstBatch, sortedForBatches, transactionBytesMax } from '../../src/tree/decide/batches.ts'
import type { AssignmentChange } from '../../src/tree/decide/draft.ts'
import { violations } from '../../src/tree/decide/invariant.ts'
import { clusterOf, SimulatedTree } from '../simulated-tree.ts'

test('firstBatch cuts a plan of many lists into transactions of at most 512 KiB, each a valid assignment', () => {
  const tree = new SimulatedTree()
  for (let index = 0; index < 12; index += 1) tree.join(`c${index}`)
  for (let index = 0; index < 7_200; index += 1) tree.wanted.add(`a-group-with-a-long-name-${index}`)
  let rest = sortedForBatches(tree.decide().changes)
  let lists: ReadonlyMap<string, CollectorList> = tree.lists
  let epoch = 0
  while (rest.length > 0) {
    epoch += 1
    const batch = firstBatch(lists, rest, { epoch, at: 0 }, new Map())
    expect(batch.changes.length).toBeGreaterThan(0)
    expect(batch.written.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(transactionBytesMax)
    expect(violations(batch.lists)).toEqual([])
    expect(batch.written.every(({ list }) => list.epoch === epoch)).toBe(true)
    lists = batch.lists
    rest = rest.slice(batch.changes.length)
  }
  expect(epoch).toBeGreaterThan(1)
  expect([...lists.values()].reduce((sum, { owned }) => sum + Object.keys(owned).length, 0)).toBe(7_200)
})

test('firstBatch leaves out what would let a list outgrow its znode, and goes on with the rest in few batches', () => {
  const random = seededRandom(7)
  const name = (): string => Buffer.from(random.bytes(90)).toString('hex')
  const owned = Object.fromEntries(Array.from({ length: 4_900 }, () => [name(), { since: 1, load: 0 }]))
  let lists: ReadonlyMap<string, CollectorList> = new Map([
    ['c1', { ...emptyCollectorList, owned }],
    ['c2', emptyCollectorList],
  ])
  const create = (to: string): AssignmentChange => ({ do: 'create', group: name(), to, why: 'new groups' })
  const changes = ['c1', 'c2'].flatMap((to) => Array.from({ length: 400 }, () => create(to)))
  let rest: readonly AssignmentChange[] = sortedForBatches(changes)
  const full = new Set<string>()
  let batches = 0
  while (rest.length > 0) {
    batches += 1
    const batch = firstBatch(lists, rest, { epoch: 1 + batches, at: 0 }, new Map())
    for (const id of batch.full) full.add(id)
    ;({ lists, rest } = batch)
  }
  const count = (id: string): number => Object.keys(lists.get(id)?.owned ?? {}).length
  expect(count('c2')).toBe(400)
  expect(count('c1')).toBeGreaterThan(4_900)
  expect(count('c1')).toBeLessThan(5_300)
  expect([...full]).toEqual(['c1'])
  expect(batches).toBeLessThan(15)
})

test('violations names a group that two own, one that two borrow, and a loan that its owner does not know of', () => {
  const tree = clusterOf(3, 3)
  const own = { since: 1, load: 0 }
  const borrow = { from: 'c0', since: 1, at: 0 }
  const with_ = (id: string, fields: Partial<CollectorList>): void => {
    const list = tree.lists.get(id)
    if (list !== undefined) tree.lists.set(id, { ...list, ...fields })
  }
  with_('c0', { owned: { x: own } })
  with_('c1', { owned: { x: own }, borrowed: { y: borrow } })
  with_('c2', { borrowed: { y: borrow } })
  expect(violations(tree.lists).join('\n')).toMatch(/x is owned by c0 and by c1[^]*y is borrowed by c1 and by c2[^]*c0/)
})
