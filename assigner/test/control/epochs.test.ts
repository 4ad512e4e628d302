import { describe, expect, test } from '@jest/globals'
import { emptyCollectorList } from '@catchment/protocol'
import { firstRestamped } from '../../src/tree/decide/batches.ts'
import { epochLeapMax, isCredible, newestKnown, outlivedLists } from '../../src/control/decide/epochs.ts'

const collector = (
  epoch: number,
  appliedEpoch?: number,
  living = true,
): Parameters<typeof newestKnown>[1] extends Iterable<infer C> ? C : never => ({
  list: { epoch },
  status: appliedEpoch === undefined ? undefined : { appliedEpoch },
  living,
})

describe('newestKnown', () => {
  test('is the greatest of what the manifest, the collectors and the agents know', () => {
    expect(newestKnown(7, [collector(7, 7), collector(3)], 0)).toBe(7)
    expect(newestKnown(1, [collector(0, 50), collector(0, 49, false)], 0)).toBe(50)
    expect(newestKnown(1, [collector(0, 50)], 60)).toBe(60)
  })

  test('never passes what names in the journal have room for', () => {
    expect(newestKnown(1, [collector(0, Number.MAX_SAFE_INTEGER)], 0)).toBe(999_999_999_998)
  })
})

describe('outlivedLists', () => {
  test('are the lists of the living that know more than the tree; none while the tree is whole', () => {
    const whole = new Map([
      ['c1', collector(7, 7)],
      ['c2', collector(5, 4)],
      ['c3', collector(0, 0)],
    ])
    expect(outlivedLists(whole, 0)).toEqual([])
    const again = new Map([
      ['c1', collector(0, 50)],
      ['c2', collector(51, 49)],
      ['c3', collector(0, 9, false)],
    ])
    expect(outlivedLists(again, 0)).toEqual(['c1'])
    expect(outlivedLists(again, 60)).toEqual(['c1', 'c2'])
  })

  test('a list that was written again is not outlived any more', () => {
    const lists = new Map([['c1', emptyCollectorList]])
    const known = newestKnown(0, [collector(0, Number.MAX_SAFE_INTEGER)], 0)
    const epoch = firstRestamped(lists, ['c1'], known + 1).lists.get('c1')?.epoch ?? 0
    expect(outlivedLists(new Map([['c1', collector(epoch, Number.MAX_SAFE_INTEGER)]]), known)).toEqual([])
  })
})

test('isCredible: an agent knows a little more than a tree that lost its data, not any number', () => {
  expect([6, 7, 8, 7 + epochLeapMax, 8 + epochLeapMax].map((epoch) => isCredible(epoch, 7))).toEqual([
    ...[false, false, true, true, false],
  ])
})

test('firstRestamped writes as many lists as a transaction holds, at least one, otherwise unchanged', () => {
  const owned = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, index) => [
      `group-${(index * 2_654_435_761) % 4_294_967_296}`,
      { since: 1, load: 3 },
    ]),
  )
  const lists = new Map(['c1', 'c2', 'c3', 'c4', 'c5', 'c6'].map((id) => [id, { ...emptyCollectorList, owned }]))
  const batch = firstRestamped(lists, [...lists.keys()], 9)
  expect(batch.written.length).toBeGreaterThan(0)
  expect(batch.written.length).toBeLessThan(6)
  expect(batch.lists.get('c1')).toEqual({ ...emptyCollectorList, owned, epoch: 9 })
  expect(batch.lists.get('c6')?.epoch).toBe(0)
})
