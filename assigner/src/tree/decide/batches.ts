// A plan cut into transactions. Changes are sorted by the lists that they touch, so that a batch writes few lists, and a
// batch that is too heavy is halved: each change is whole in itself, so every prefix is a valid assignment. A change that
// does not fit even alone, because a list has outgrown its znode, is left out with all others that would let that list
// grow: one full collector must not stop what happens to the rest.

import { emptyCollectorList, encodeZnode, ProtocolError, type CollectorList, type Load } from '@catchment/protocol'
import { Draft, type AssignmentChange, type ChangeStamp } from './draft.ts'
import type { Lists } from './cluster-view.ts'

export const transactionBytesMax = 512 * 1024
/** What fence, manifest and journal entry weigh at most. */
export const transactionOverheadBytes = 192 * 1024
const changesPerBatchMax = 100_000
/** What no transaction may weigh: ZooKeeper drops a connection that sends 1 MiB. */
const requestBytesMax = 1_000_000

export interface WrittenList {
  readonly id: string
  readonly list: CollectorList
  readonly data: Buffer
}

export interface PublishBatch {
  readonly changes: readonly AssignmentChange[]
  readonly written: readonly WrittenList[]
  readonly lists: Lists
  /** What comes after this batch, without what was left out. */
  readonly rest: readonly AssignmentChange[]
  /** The collectors whose lists are full, so that changes were left out. */
  readonly full: ReadonlySet<string>
}

/** The first batch of `changes`: as many as one transaction holds; none when all of them were left out. */
export function firstBatch(
  lists: Lists,
  changes: readonly AssignmentChange[],
  stamp: ChangeStamp,
  loads: ReadonlyMap<string, Load>,
): PublishBatch {
  const full = new Set<string>()
  const leftOut = new Set<string>()
  let open = changes
  let count = Math.min(open.length, changesPerBatchMax)
  while (open.length > 0) {
    const draft = new Draft(lists, stamp, (group) => loads.get(group)?.bytesPerSecond)
    const part = open.slice(0, count)
    for (const change of part) draft.apply(change)
    const encoded = encodeTouched(draft, bytesMaxOf(draft, count))
    if ('written' in encoded)
      return { changes: part, written: encoded.written, lists: draft.lists, rest: open.slice(count), full }
    if (count > 1) count = Math.ceil(count / 2)
    else {
      full.add(encoded.tooLarge)
      for (const change of part) leftOut.add(change.group)
      open = open.filter((change) => {
        if (growing(change).some((id) => full.has(id))) leftOut.add(change.group)
        return !leftOut.has(change.group) // what follows on a change that is left out cannot be done either
      })
      count = Math.min(open.length, changesPerBatchMax)
    }
  }
  return { changes: [], written: [], lists, rest: [], full }
}

/** As many of the lists of `ids` as one transaction holds, as they are but for the epoch; at least one. */
export function firstRestamped(lists: Lists, ids: readonly string[], epoch: number): PublishBatch {
  const written: WrittenList[] = []
  const next = new Map(lists)
  let bytes = 0
  for (const id of ids) {
    const list = { ...(lists.get(id) ?? emptyCollectorList), epoch }
    const data = encodeZnode(list)
    bytes += data.length
    if (written.length > 0 && bytes > transactionBytesMax - transactionOverheadBytes) break
    written.push({ id, list, data })
    next.set(id, list)
  }
  return { changes: [], written, lists: next, rest: [], full: new Set() }
}

/** Two lists are not made lighter by halving: each may be near 512 KiB, and they are written as often as there are batches. */
function bytesMaxOf({ touched }: Draft, count: number): number {
  if (count === 1) return requestBytesMax
  return (touched.size <= 2 ? requestBytesMax : transactionBytesMax) - transactionOverheadBytes
}

/** The collectors whose lists get an entry by it, other than that of where the group went. */
function growing(change: AssignmentChange): readonly string[] {
  switch (change.do) {
    case 'create':
    case 'move':
    case 'keep':
      return [change.to]
    case 'lend':
      return [change.owner, change.to]
    case 'return':
      return [change.owner]
  }
}

/** By collectors touched; changes of one group keep their order. */
export function sortedForBatches(changes: readonly AssignmentChange[]): AssignmentChange[] {
  const touched = new Map<string, string>()
  for (const change of changes) {
    const key = keyOf(change)
    if (!touched.has(change.group)) touched.set(change.group, key)
  }
  return [...changes].sort((a, b) => compare(touched.get(a.group) ?? '', touched.get(b.group) ?? ''))
}

function keyOf(change: AssignmentChange): string {
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

/** The bytes of the touched lists; or which of them is too large for a znode, or the largest when together they are. */
function encodeTouched(draft: Draft, bytesMax: number): { written: WrittenList[] } | { tooLarge: string } {
  const written: WrittenList[] = []
  let bytes = 0
  for (const id of draft.touched) {
    const list = draft.lists.get(id)
    if (list === undefined) continue
    const data = encodeList(list)
    if (data === undefined) return { tooLarge: id }
    bytes += data.length
    written.push({ id, list, data })
    if (bytes > bytesMax) return { tooLarge: written.reduce((a, b) => (b.data.length > a.data.length ? b : a)).id }
  }
  return { written }
}

/** Undefined for a list that is too large. */
function encodeList(list: CollectorList): Buffer | undefined {
  try {
    return encodeZnode(list)
  } catch (thrown) {
    if (thrown instanceof ProtocolError && thrown.code === 'too-large') return undefined
    throw thrown
  }
}
