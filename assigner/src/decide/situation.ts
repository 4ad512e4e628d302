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

export interface Situation {
  readonly collectors: ReadonlyMap<string, CollectorView>
  /** Measured loads by group; what is missing is estimated from the class in the lists. */
  readonly loads: ReadonlyMap<string, Load>
  /** Groups that agents asked for and that nobody owns yet. */
  readonly wanted: readonly string[]
  readonly redistribution: Policy['redistribution']
  readonly graceMs: number
}

export type Lists = ReadonlyMap<string, CollectorList>

/** The entry of `group`; a group may be called `constructor`, which every object inherits. */
export function entryOf<T>(entries: Readonly<Record<string, T>>, group: string): T | undefined {
  return Object.hasOwn(entries, group) ? entries[group] : undefined
}

export function listsOf(situation: Situation): Map<string, CollectorList> {
  return new Map([...situation.collectors].map(([id, { list }]) => [id, list]))
}

/** The situation if the absent collector `id` never came back: what it owns is for others, at once. `why`: for reasons. */
export function withoutReturn(situation: Situation, id: string, why: string): Situation {
  const view = situation.collectors.get(id)
  if (view === undefined) return situation
  const gone: CollectorView = { ...view, living: false, awaited: false, admin: 'drain', adminWhy: why }
  return { ...situation, collectors: new Map(situation.collectors).set(id, gone) }
}
