import { expect, test } from '@jest/globals'
import type { CollectorList } from '@catchment/protocol'
import { firstBatch, sortedForBatches, transactionBytesMax } from '../src/decide/batches.ts'
import { violations } from '../src/decide/invariant.ts'
import { clusterOf, SimulatedTree } from './simulated-tree.ts'

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
