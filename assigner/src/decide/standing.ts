// Every group with who owns it and who serves it, read off the lists; and the same as the planner wants to see it.

import { pressures, type Collector as PlannedCollector, type Group as PlannedGroup } from '@catchment/placement'
import type { Load } from '@catchment/protocol'
import { entryOf, type CollectorView, type Lists, type Situation } from './situation.ts'

export interface Standing {
  readonly group: string
  readonly owner: string
  /** Who is told to serve it by a list; undefined when a loan names nobody who knows of it. */
  readonly server: string | undefined
  readonly loadClass: number
}

/** All groups of the lists. Loans whose owner's list is gone stand as owned by their borrower in all but name. */
export function* standings(lists: Lists): Generator<Standing> {
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

/** The groups as the planner sees them: `server` is a living collector, or the id of one that is not, or nobody yet. */
export function plannedGroups(situation: Situation, lists: Lists): PlannedGroup[] {
  const groups: PlannedGroup[] = []
  for (const { group, owner, server, loadClass } of standings(lists))
    groups.push({ name: group, load: loadOf(situation.loads, group, loadClass), server: server ?? owner })
  return groups
}

export function livingCollectors(situation: Situation): CollectorView[] {
  return [...situation.collectors.values()].filter(({ living }) => living)
}

/** The pressure of every living collector when `lists` stand. */
export function pressuresOf(situation: Situation, lists: Lists): ReadonlyMap<string, number> {
  const collectors = livingCollectors(situation).map((view) => plannedCollector(view, false))
  return pressures({ collectors, groups: plannedGroups(situation, lists) })
}
