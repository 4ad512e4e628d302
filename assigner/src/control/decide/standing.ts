// Every group with who owns it and who serves it, read off the lists; and the same as the planner wants to see it.

import { pressures, type Collector as PlannedCollector, type Group as PlannedGroup } from '@catchment/placement'
import type { Load } from '@catchment/protocol'
import { entryOf, type CollectorView, type Lists, type ClusterView } from '../../tree/decide/cluster-view.ts'

export interface GroupStanding {
  readonly group: string
  readonly owner: string
  /** The collector whose list has it to serve; undefined when a loan names a borrower whose list does not have it. */
  readonly server: string | undefined
  readonly loadClass: number
}

/** All groups of the lists. Loans whose owner's list is gone stand as owned by their borrower in all but name. */
export function* standings(lists: Lists): Generator<GroupStanding> {
  for (const [owner, list] of lists) {
    for (const [group, { load }] of Object.entries(list.owned)) yield { group, owner, server: owner, loadClass: load }
    for (const [group, { to }] of Object.entries(list.lent)) {
      const known = entryOf(lists.get(to)?.borrowed ?? {}, group)?.from === owner
      yield { group, owner, server: known ? to : undefined, loadClass: 0 }
    }
    for (const [group, { from }] of Object.entries(list.borrowed))
      if (!lists.has(from)) yield { group, owner: from, server: owner, loadClass: 0 }
  }
}

/** What a group costs as far as is known: measured, else the class that the last publish wrote, else undefined. */
export function loadOf(loads: ReadonlyMap<string, Load>, group: string, loadClass: number): Load | undefined {
  const measured = loads.get(group)
  if (measured !== undefined) return measured
  return loadClass === 0 ? undefined : { bytesPerSecond: 2 ** (loadClass - 1), recordsPerSecond: NaN }
}

export function plannedCollector(view: CollectorView, joining: boolean): PlannedCollector {
  const { capacity = { bytesPerSecond: 0, recordsPerSecond: 0 }, zone = '' } = view.status ?? {}
  return { id: view.id, capacity, zone, admin: view.admin, joining }
}

/** The groups as the planner sees them: `server` is a living collector, or the id of one that is not, or undefined yet. */
export function plannedGroups(cluster: ClusterView, lists: Lists): PlannedGroup[] {
  const groups: PlannedGroup[] = []
  for (const { group, owner, server, loadClass } of standings(lists))
    groups.push({ name: group, load: loadOf(cluster.loads, group, loadClass), server: server ?? owner })
  return groups
}

export function livingCollectors(cluster: ClusterView): CollectorView[] {
  return [...cluster.collectors.values()].filter(({ living }) => living)
}

/** The pressure of every living collector when `lists` stand. */
export function pressuresOf(cluster: ClusterView, lists: Lists): ReadonlyMap<string, number> {
  const collectors = livingCollectors(cluster).map((view) => plannedCollector(view, false))
  return pressures({ collectors, groups: plannedGroups(cluster, lists) })
}
