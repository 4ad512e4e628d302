// What a decision of the assigner sees: plain data, read in one whole snapshot of the tree, with the measured loads.

import type { Admin, CollectorList, CollectorStatus, Load, Policy } from '@catchment/protocol'

/** One collector as the tree knows it. */
export interface CollectorView {
  readonly id: string
  readonly list: CollectorList
  /** Its last status, perhaps of the past: `living` says whether it counts. */
  readonly status: CollectorStatus | undefined
  readonly living: boolean
  /** Absent, and too early to call it gone: the cluster or the leader has just started. */
  readonly awaited: boolean
  readonly admin: Admin['want']
  /** The command that asked for it, as reasons name it. */
  readonly adminWhy?: string | undefined
}

export interface ClusterView {
  readonly collectors: ReadonlyMap<string, CollectorView>
  /** Measured loads by group; what is missing is estimated from the class in the lists. */
  readonly loads: ReadonlyMap<string, Load>
  /** Groups that agents asked for and that have no owner yet. */
  readonly wanted: readonly string[]
  readonly redistribution: Policy['redistribution']
  readonly graceMs: number
}

export type Lists = ReadonlyMap<string, CollectorList>

/** The entry of `group`; a group may be called `constructor`, which every object inherits. */
export function entryOf<T>(entries: Readonly<Record<string, T>>, group: string): T | undefined {
  return Object.hasOwn(entries, group) ? entries[group] : undefined
}

/** The lists of all collectors, by their ids. */
export function listsOf(tree: {
  readonly collectors: ReadonlyMap<string, { readonly list: CollectorList }>
}): Map<string, CollectorList> {
  return new Map([...tree.collectors].map(([id, { list }]) => [id, list]))
}

/** Whether the collector owns, has lent or has borrowed any group. Looks at one entry: lists are long. */
export function hasGroups({ owned, lent, borrowed }: CollectorList): boolean {
  return !isEmpty(owned) || !isEmpty(lent) || !isEmpty(borrowed)
}

export function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  for (const key in record) if (Object.hasOwn(record, key)) return false
  return true
}

/** The cluster as if the absent collector `id` never came back: what it owns is for others, at once. `why`: for reasons. */
export function withoutReturn(cluster: ClusterView, id: string, why: string): ClusterView {
  const view = cluster.collectors.get(id)
  if (view === undefined) return cluster
  const gone: CollectorView = { ...view, living: false, awaited: false, admin: 'drain', adminWhy: why }
  return { ...cluster, collectors: new Map(cluster.collectors).set(id, gone) }
}
