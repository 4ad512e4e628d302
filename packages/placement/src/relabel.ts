// A global plan says which groups belong together, not with whom: bins of equal capacity are interchangeable, and so are
// groups of equal weight. This gives the bins to collectors, and equal groups to bins, so that what can stay stays.
//
// Groups of equal weight form a run. A bin's overlap with a collector is the weight that could stay if the collector got
// the bin: over the runs, the lesser of the bin's slots and the collector's groups. Heaviest bin first, each takes the
// free collector of its capacity with the greatest overlap. On a plan's own result this moves nothing: the heaviest bin
// overlaps in full with the collector that holds it, and any other that does so too holds the same weights.
import { f64, i32, item, u32 } from './arrays.ts'
import type { Model } from './model.ts'
import { NOBODY } from './model.ts'
import { DIMENSIONS } from './weights.ts'

interface Runs {
  /** The run of each position, and of each run its first position, with the end behind. */
  readonly runOf: Uint32Array
  readonly start: number[]
  /** The groups of each run by current server: parallel lists, those of run r from first[r] to first[r + 1]. */
  readonly first: number[]
  readonly holder: number[]
  readonly held: number[]
}

/** `order` and the bin of each of its positions; returns the server of each position. Bins are named after collectors. */
export function relabel(model: Model, order: Uint32Array, bin: Int32Array): Int32Array {
  const runs = runsOf(model, order)
  return settle(model, order, bin, { runs, label: labelsOf(model, order, bin, runs) })
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

function runsOf(model: Model, order: Uint32Array): Runs {
  const runs: Runs = { runOf: new Uint32Array(order.length), start: [], first: [], holder: [], held: [] }
  const count = new Int32Array(model.collectors.length)
  for (let from = 0; from < order.length;) {
    const run = runs.start.push(from) - 1
    runs.first.push(runs.holder.length)
    let end = from
    for (; end < order.length && isEqual(model, u32(order, from), u32(order, end)); end++) {
      runs.runOf[end] = run
      const server = i32(model.server, u32(order, end))
      if (server === NOBODY) continue
      if (i32(count, server) === 0) runs.holder.push(server)
      count[server] = i32(count, server) + 1
    }
    for (let at = runs.held.length; at < runs.holder.length; at++) {
      const server = item(runs.holder, at)
      runs.held.push(i32(count, server))
      count[server] = 0
    }
    from = end
  }
  runs.start.push(order.length)
  runs.first.push(runs.holder.length)
  return runs
}

/** The collector that gets each bin. */
function labelsOf(model: Model, order: Uint32Array, bin: Int32Array, runs: Runs): Int32Array {
  const positions = positionsByBin(model, bin)
  const load = new Float64Array(model.collectors.length)
  for (let at = 0; at < order.length; at++) {
    const own = i32(bin, at)
    load[own] = f64(load, own) + mass(model, u32(order, at))
  }
  const label = new Int32Array(model.collectors.length).fill(NOBODY)
  const row = new Float64Array(model.collectors.length)
  for (const alike of capacityClasses(model)) {
    const bins = [...alike].sort((a, b) => f64(load, b) - f64(load, a) || a - b)
    const free = new Set(alike)
    for (const own of bins) {
      row.fill(0)
      addOverlaps(model, order, runs, { positions: item(positions, own), row })
      let best = NOBODY
      for (const collector of free) if (best === NOBODY || f64(row, collector) > f64(row, best)) best = collector
      label[own] = best
      free.delete(best)
    }
  }
  return label
}

function positionsByBin(model: Model, bin: Int32Array): number[][] {
  const positions: number[][] = model.collectors.map(() => [])
  for (let at = 0; at < bin.length; at++) item(positions, i32(bin, at)).push(at)
  return positions
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

function addOverlaps(
  model: Model,
  order: Uint32Array,
  runs: Runs,
  { positions, row }: { readonly positions: readonly number[]; readonly row: Float64Array },
): void {
  for (let at = 0; at < positions.length;) {
    const position = item(positions, at)
    const run = u32(runs.runOf, position)
    let slots = 0
    for (; at < positions.length && u32(runs.runOf, item(positions, at)) === run; at++) slots++
    const each = mass(model, u32(order, position))
    for (let entry = item(runs.first, run), end = item(runs.first, run + 1); entry < end; entry++) {
      const collector = item(runs.holder, entry)
      row[collector] = f64(row, collector) + each * Math.min(slots, item(runs.held, entry))
    }
  }
}

/** Run by run: who can stay stays, the others take what slots are left, in order. */
function settle(
  model: Model,
  order: Uint32Array,
  bin: Int32Array,
  { runs, label }: { readonly runs: Runs; readonly label: Int32Array },
): Int32Array {
  const target = new Int32Array(order.length).fill(NOBODY)
  const slots = new Int32Array(model.collectors.length)
  for (let run = 0; run + 1 < runs.start.length; run++) {
    const from = item(runs.start, run)
    const end = item(runs.start, run + 1)
    for (let at = from; at < end; at++) {
      const collector = i32(label, i32(bin, at))
      slots[collector] = i32(slots, collector) + 1
    }
    for (let at = from; at < end; at++) {
      const server = i32(model.server, u32(order, at))
      if (server === NOBODY || i32(slots, server) === 0) continue
      target[at] = server
      slots[server] = i32(slots, server) - 1
    }
    let next = from
    for (let at = from; at < end; at++) {
      if (i32(target, at) !== NOBODY) continue
      while (i32(slots, i32(label, i32(bin, next))) === 0) next++
      const collector = i32(label, i32(bin, next))
      target[at] = collector
      slots[collector] = i32(slots, collector) - 1
    }
  }
  return target
}
