// Longest processing time first (Graham 1969, "Bounds on multiprocessing timing anomalies"; for unequal machines Gonzalez,
// Ibarra and Sahni 1977): each group, largest first, to the collector whose pressure with it is least. A heap orders
// collectors by their pressure without it; with unequal capacities and two dimensions the best with it is among the
// first few of the heap, so these are looked at.
import { f64, i32, u32 } from './arrays.ts'
import { CollectorHeap } from './heap.ts'
import type { Pressures } from './pressure.ts'
import { DIMENSIONS } from './weights.ts'

/** Heap slots looked at for each group. Up to as many collectors the choice is exact. */
const LOOKED_AT_MAX = 8

/** Calls `place` for each group of `order`, and adds the groups to `pressures`. `receivers` must not be empty. */
export function placeGreedily(
  order: Uint32Array,
  receivers: Int32Array,
  pressures: Pressures,
  place: (group: number, collector: number) => void,
): void {
  const key = new Float64Array(pressures.load.length / DIMENSIONS)
  const heap = new CollectorHeap(key, 'coldest')
  for (let at = 0; at < receivers.length; at++) {
    const collector = i32(receivers, at)
    key[collector] = pressures.of(collector)
    heap.insert(collector)
  }
  for (let position = 0; position < order.length; position++) {
    const group = u32(order, position)
    const collector = bestFor(group, heap, pressures, key)
    pressures.add(collector, group)
    key[collector] = pressures.of(collector)
    heap.update(collector)
    place(group, collector)
  }
}

function bestFor(group: number, heap: CollectorHeap, pressures: Pressures, key: Float64Array): number {
  let best = heap.at(0)
  let least = pressures.with(best, group)
  for (let slot = 1, end = Math.min(heap.size, LOOKED_AT_MAX); slot < end; slot++) {
    const collector = heap.at(slot)
    if (f64(key, collector) > least) continue
    const pressure = pressures.with(collector, group)
    if (pressure > least || (pressure === least && collector > best)) continue
    best = collector
    least = pressure
  }
  return best
}
