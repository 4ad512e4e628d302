// Whether this collector takes frames of a group, by the list that it holds. The tree says where to send; it does not guard bytes:
// each stream has one writer, which sends to one collector at a time.

import type { CollectorList } from '@catchment/protocol'

export type GroupRoute =
  | { readonly kind: 'served' }
  /** The agent knows a newer list than this collector, which reads it again and then decides. */
  | { readonly kind: 'refresh'; readonly served: boolean }
  | { readonly kind: 'elsewhere'; readonly epoch: number; readonly to: string | undefined }

/** `quotedEpoch`: that of the list which the agent was given. */
export function routeGroup(list: CollectorList, group: string, quotedEpoch: number): GroupRoute {
  const served = isServed(list, group)
  if (quotedEpoch > list.epoch) return { kind: 'refresh', served }
  if (served) return { kind: 'served' }
  const lent = entry(list.lent, group)
  if (lent !== undefined) return { kind: 'elsewhere', epoch: lent.since, to: lent.to }
  const moved = entry(list.moved, group)
  return { kind: 'elsewhere', epoch: moved?.epoch ?? list.epoch, to: moved?.to }
}

/** Owned and not lent, or borrowed. */
export function isServed(list: CollectorList, group: string): boolean {
  const owned = entry(list.owned, group) !== undefined && entry(list.lent, group) === undefined
  return owned || entry(list.borrowed, group) !== undefined
}

export function servedGroups(list: CollectorList): number {
  const owned = Object.keys(list.owned).filter((group) => !Object.hasOwn(list.lent, group))
  return owned.length + Object.keys(list.borrowed).length
}

function entry<T>(record: Readonly<Record<string, T>>, group: string): T | undefined {
  return Object.hasOwn(record, group) ? record[group] : undefined
}
