// A global plan says which groups belong together, not with whom: bins of equal capacity are interchangeable, and so are
// groups of equal weight. This gives the bins to collectors, and equal groups to bins, so that what can stay stays.
//
// Groups of equal weight form a run. A bin's overlap with a collector is the weight that could stay if the collector got
// the bin: over the runs, the lesser of the bin's slots and the collector's groups. Heaviest bin first, each takes the
// free collector of its capacity with the greatest overlap. On a plan's own result this moves nothing: the heaviest bin
// overlaps in full with the collector that holds it, and any other that does so too holds the same weights.
import { f64, i32, u32 } from './arrays.ts'
import type { Model } from './model.ts'
import { UNSERVED } from './model.ts'
import { DIMENSIONS } from './weights.ts'

interface Runs {
  readonly count: number
  /** The run of each group, and of each run its first group, with the end as the last. */
  readonly runOf: Uint32Array
  readonly start: Uint32Array
  /** The groups of each run by current server: parallel lists, those of run r from first[r] to first[r + 1]. */
  readonly first: Uint32Array
  readonly holder: Uint32Array
  readonly held: Uint32Array
}

/**
 * The server of each group, from the bin of each: bins are numbered as the collectors that serve. The groups are the
 * first ones of the model, sorted by weight so that equal ones stand together.
 */
export function relabel(model: Model, bin: Int32Array): Int32Array {
  const runs = runsOf(model, bin.length)
  return settle(model, bin, runs, labelsOf(model, bin, runs))
}

/** What can stay as a number: exact, as weights are integers. */
function mass(model: Model, group: number): number {
  let sum = 0
  for (let dimension = 0; dimension < DIMENSIONS; dimension++) sum += f64(model.weight, group * DIMENSIONS + dimension)
  return sum
}

function isEqual(model: Model, a: number, b: number): boolean {
  for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
    if (f64(model.weight, a * DIMENSIONS + dimension) !== f64(model.weight, b * DIMENSIONS + dimension)) return false
  }
  return true
}

function runsOf(model: Model, groups: number): Runs {
  const runOf = new Uint32Array(groups)
  const start = new Uint32Array(groups + 1)
  const first = new Uint32Array(groups + 1)
  const holder = new Uint32Array(groups)
  const held = new Uint32Array(groups)
  const entryOf = new Int32Array(model.collectors.length).fill(UNSERVED)
  let count = 0
  let entries = 0
  for (let group = 0; group < groups; group++) {
    if (group === 0 || !isEqual(model, group - 1, group)) {
      start[count] = group
      first[count] = entries
      count++
    }
    runOf[group] = count - 1
    const server = i32(model.server, group)
    if (server === UNSERVED) continue
    if (i32(entryOf, server) < u32(first, count - 1)) {
      entryOf[server] = entries
      holder[entries] = server
      entries++
    }
    const entry = i32(entryOf, server)
    held[entry] = u32(held, entry) + 1
  }
  start[count] = groups
  first[count] = entries
  return { count, runOf, start, first, holder, held }
}

/** The collector that gets each bin. */
function labelsOf(model: Model, bin: Int32Array, runs: Runs): Int32Array {
  const { groups, start } = contentsOf(model, bin)
  const load = new Float64Array(model.collectors.length)
  for (let group = 0; group < bin.length; group++) {
    const own = i32(bin, group)
    load[own] = f64(load, own) + mass(model, group)
  }
  const label = new Int32Array(model.collectors.length).fill(UNSERVED)
  const row = new Float64Array(model.collectors.length)
  for (const alike of capacityClasses(model)) {
    const bins = [...alike].sort((a, b) => f64(load, b) - f64(load, a) || a - b)
    const free = new Set(alike)
    for (const own of bins) {
      row.fill(0)
      addOverlaps(model, runs, groups.subarray(u32(start, own), u32(start, own + 1)), row)
      let best = UNSERVED
      for (const collector of free) if (best === UNSERVED || f64(row, collector) > f64(row, best)) best = collector
      label[own] = best
      free.delete(best)
    }
  }
  return label
}

/** The groups of each bin, ascending: those of bin b in `groups` from start[b] to start[b + 1]. */
function contentsOf(model: Model, bin: Int32Array): { readonly groups: Uint32Array; readonly start: Uint32Array } {
  const start = new Uint32Array(model.collectors.length + 1)
  for (const own of bin) start[own + 1] = u32(start, own + 1) + 1
  for (let at = 1; at < start.length; at++) start[at] = u32(start, at) + u32(start, at - 1)
  const next = start.slice()
  const groups = new Uint32Array(bin.length)
  for (let group = 0; group < bin.length; group++) {
    const own = i32(bin, group)
    groups[u32(next, own)] = group
    next[own] = u32(next, own) + 1
  }
  return { groups, start }
}

/** Serving collectors of one capacity, ascending, class by class. */
function capacityClasses(model: Model): number[][] {
  const classes = new Map<string, number[]>()
  for (const collector of model.serving) {
    const from = collector * DIMENSIONS
    const key = model.capacity.subarray(from, from + DIMENSIONS).join(' ')
    const alike = classes.get(key)
    if (alike === undefined) classes.set(key, [collector])
    else alike.push(collector)
  }
  return [...classes.values()]
}

/** Adds to `row`, for each collector, what could stay of a bin that holds `groups`. */
function addOverlaps(model: Model, runs: Runs, groups: Uint32Array, row: Float64Array): void {
  for (let at = 0; at < groups.length;) {
    const group = u32(groups, at)
    const run = u32(runs.runOf, group)
    let slots = 0
    for (; at < groups.length && u32(runs.runOf, u32(groups, at)) === run; at++) slots++
    const each = mass(model, group)
    for (let entry = u32(runs.first, run), end = u32(runs.first, run + 1); entry < end; entry++) {
      const collector = u32(runs.holder, entry)
      row[collector] = f64(row, collector) + each * Math.min(slots, u32(runs.held, entry))
    }
  }
}

/** Run by run: who can stay stays, the others take what slots are left, in order. */
function settle(model: Model, bin: Int32Array, runs: Runs, label: Int32Array): Int32Array {
  const target = new Int32Array(bin.length).fill(UNSERVED)
  const slots = new Int32Array(model.collectors.length)
  for (let run = 0; run < runs.count; run++) {
    const from = u32(runs.start, run)
    const end = u32(runs.start, run + 1)
    for (let group = from; group < end; group++) {
      const collector = i32(label, i32(bin, group))
      slots[collector] = i32(slots, collector) + 1
    }
    for (let group = from; group < end; group++) {
      const server = i32(model.server, group)
      if (server === UNSERVED || i32(slots, server) === 0) continue
      target[group] = server
      slots[server] = i32(slots, server) - 1
    }
    let next = from
    for (let group = from; group < end; group++) {
      if (i32(target, group) !== UNSERVED) continue
      while (i32(slots, i32(label, i32(bin, next))) === 0) next++
      const collector = i32(label, i32(bin, next))
      target[group] = collector
      slots[collector] = i32(slots, collector) - 1
    }
  }
  return target
}
