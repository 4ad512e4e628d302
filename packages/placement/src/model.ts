// A situation as a struct of arrays. Collectors are numbered in the order of their ids and groups as they came; whatever
// depends on the order of groups goes through ordering.ts.
import { f64, i32, item } from './arrays.ts'
import type { Collector, Group, Situation } from './situation.ts'
import { capacitiesOf, DIMENSIONS, weighGroups } from './weights.ts'

/** The server of a group that has none among the living. */
export const UNSERVED = -1

export interface Model {
  /** By id, ascending. */
  readonly collectors: readonly Collector[]
  readonly groups: readonly Group[]
  /** Of group g in dimension d at [g * DIMENSIONS + d]. */
  readonly weight: Float64Array
  /** Of collector c in dimension d at [c * DIMENSIONS + d]. */
  readonly capacity: Float64Array
  /** The collector that serves each group now, or UNSERVED. */
  readonly server: Int32Array
  /** Collectors that may receive, ascending. */
  readonly serving: Int32Array
}

export function modelOf(situation: Situation): Model {
  const collectors = [...situation.collectors].sort((a, b) => (a.id < b.id ? -1 : 1))
  const numbers = new Map<string, number>()
  for (const [number, { id }] of collectors.entries()) {
    if (numbers.has(id)) throw new RangeError(`plan: collector ids must be unique, "${id}" is listed twice`)
    numbers.set(id, number)
  }
  const { groups } = situation
  const server = new Int32Array(groups.length)
  for (let group = 0; group < groups.length; group++) {
    const id = item(groups, group).server
    server[group] = id === undefined ? UNSERVED : (numbers.get(id) ?? UNSERVED)
  }
  const serving = Int32Array.from(numbers.values()).filter((c) => item(collectors, c).admin === 'serve')
  return { collectors, groups, weight: weighGroups(groups), capacity: capacitiesOf(collectors), server, serving }
}

/** The load of each collector when `server` says who serves each group, as [collector * DIMENSIONS + dimension]. */
export function loadsOf(model: Model, server: Int32Array): Float64Array {
  const load = new Float64Array(model.collectors.length * DIMENSIONS)
  for (let group = 0; group < server.length; group++) {
    const collector = i32(server, group)
    if (collector === UNSERVED) continue
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      const at = collector * DIMENSIONS + dimension
      load[at] = f64(load, at) + f64(model.weight, group * DIMENSIONS + dimension)
    }
  }
  return load
}

/** The weight of all groups for which `counts` holds, by dimension. */
export function totalsOf(model: Model, counts: (group: number) => boolean): Float64Array {
  const totals = new Float64Array(DIMENSIONS)
  for (let group = 0; group < model.groups.length; group++) {
    if (!counts(group)) continue
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      totals[dimension] = f64(totals, dimension) + f64(model.weight, group * DIMENSIONS + dimension)
    }
  }
  return totals
}

/** Whether the group must find a server: it has none, or one that drains. */
export function isForced(model: Model, group: number): boolean {
  const server = i32(model.server, group)
  return server === UNSERVED || item(model.collectors, server).admin === 'drain'
}

/** Whether the group stays whatever happens: its server is cordoned. */
export function isKept(model: Model, group: number): boolean {
  const server = i32(model.server, group)
  return server !== UNSERVED && item(model.collectors, server).admin === 'cordon'
}

/** Why a forced group moves, or `otherwise` for one that is not forced. */
export function reasonOf<T>(model: Model, group: number, otherwise: T): 'new' | 'orphan' | 'drain' | T {
  if (item(model.groups, group).server === undefined) return 'new'
  if (i32(model.server, group) === UNSERVED) return 'orphan'
  return isForced(model, group) ? 'drain' : otherwise
}

/** The numbers of the groups for which `counts` holds, ascending. */
export function groupsWhere(model: Model, counts: (group: number) => boolean): Uint32Array {
  const found = new Uint32Array(model.groups.length)
  let count = 0
  for (let group = 0; group < found.length; group++) {
    if (!counts(group)) continue
    found[count] = group
    count++
  }
  return found.subarray(0, count)
}
