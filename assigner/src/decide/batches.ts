// A plan cut into transactions. Changes are sorted by the lists that they touch, so that a batch writes few lists, and a
// batch that is too heavy is halved: each change is whole in itself, so every prefix is a valid assignment.

import { encodeZnode, type CollectorList, type Load } from '@catchment/protocol'
import { Draft, type Change, type Stamp } from './draft.ts'
import type { Lists } from './situation.ts'

export const transactionBytesMax = 512 * 1024
/** What fence, manifest and journal entry weigh at most. */
export const transactionOverheadBytes = 192 * 1024
const changesPerBatchMax = 100_000

export interface WrittenList {
  readonly id: string
  readonly list: CollectorList
  readonly data: Buffer
}

export interface Batch {
  readonly changes: readonly Change[]
  readonly written: readonly WrittenList[]
  readonly lists: Lists
}

/**
 * The first batch of `changes`: as many as one transaction holds. Throws ProtocolError `too-large` when a single change
 * does not fit: a list has outgrown its znode.
 */
export function firstBatch(
  lists: Lists,
  changes: readonly Change[],
  stamp: Stamp,
  loads: ReadonlyMap<string, Load>,
): Batch {
  let count = Math.min(changes.length, changesPerBatchMax)
  for (;;) {
    const draft = new Draft(lists, stamp, (group) => loads.get(group)?.bytesPerSecond)
    const part = changes.slice(0, count)
    for (const change of part) draft.apply(change)
    const written = tryEncode(draft, count === 1)
    if (written !== undefined) return { changes: part, written, lists: draft.lists }
    count = Math.ceil(count / 2)
  }
}

/** By collectors touched; changes of one group keep their order. */
export function sortedForBatches(changes: readonly Change[]): Change[] {
  const touched = new Map<string, string>()
  for (const change of changes) {
    const key = keyOf(change)
    if (!touched.has(change.group)) touched.set(change.group, key)
  }
  return [...changes].sort((a, b) => compare(touched.get(a.group) ?? '', touched.get(b.group) ?? ''))
}

function keyOf(change: Change): string {
  switch (change.do) {
    case 'create':
      return ` ${change.to}`
    case 'move':
      return `${change.from} ${change.to}`
    case 'lend':
      return `${change.owner} ${change.to}`
    case 'return':
      return `${change.owner} ${change.from}`
    case 'keep':
      return `${change.owner} ${change.to}`
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The bytes of the touched lists, or undefined when they are too many. `last`: there is nothing left to halve. */
function tryEncode(draft: Draft, last: boolean): WrittenList[] | undefined {
  const written: WrittenList[] = []
  let bytes = 0
  for (const id of draft.touched) {
    const list = draft.lists.get(id)
    if (list === undefined) continue
    const data = encodeZnode(list)
    bytes += data.length
    if (!last && bytes > transactionBytesMax - transactionOverheadBytes) return undefined
    written.push({ id, list, data })
  }
  return written
}
