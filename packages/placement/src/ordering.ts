// The one order of groups: largest first, equals by hash and then by name. It depends on the groups alone, so a plan
// does not depend on how its input was listed. A radix sort (LSD, 11 bits a pass; Knuth 5.2.5) on the hash and then on
// the size as a 32-bit float, since comparing a million names would cost more than the plan.
import { hash32 } from '@catchment/hashing'
import { f64, i32, item, u32 } from './arrays.ts'
import type { Model } from './model.ts'
import { groupsWhere, totalsOf } from './model.ts'
import type { Group } from './situation.ts'
import { DIMENSIONS } from './weights.ts'

const DIGIT_BITS = 11
const DIGITS = 1 << DIGIT_BITS

/** The size of groups: the greatest share, over the dimensions, that a group has in the load of all groups. */
export function sizesOf(model: Model): (group: number) => number {
  const totals = totalsOf(model, () => true)
  return (group) => {
    let size = 0
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      size = Math.max(size, f64(model.weight, group * DIMENSIONS + dimension) / f64(totals, dimension))
    }
    return size
  }
}

/** The groups given, largest first, in the one order. */
export function largestFirst(model: Model, groups: Uint32Array): Uint32Array {
  const size = sizesOf(model)
  const hashes = new Uint32Array(model.groups.length)
  const sizes = new Float32Array(model.groups.length)
  for (const group of groups) {
    hashes[group] = hash32(item(model.groups, group).name)
    sizes[group] = size(group)
  }
  const keys = new Uint32Array(sizes.buffer) // the bits of positive floats sort as the floats do
  const order = radixSort(radixSort(groups, hashes, 0), keys, 0xffffffff)
  settleEquals(order, keys, (a, b) => {
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      const difference = f64(model.weight, b * DIMENSIONS + dimension) - f64(model.weight, a * DIMENSIONS + dimension)
      if (difference !== 0) return difference
    }
    const difference = u32(hashes, a) - u32(hashes, b)
    return difference === 0 ? (item(model.groups, a).name < item(model.groups, b).name ? -1 : 1) : difference
  })
  return order
}

/**
 * The same situation with its groups renumbered: those for which `first` holds, largest first, then the others. Returns
 * how many come first. What goes through a million groups by size reads memory in sequence then, several times faster.
 */
export function renumbered(
  model: Model,
  first: (group: number) => boolean,
): { readonly sorted: Model; readonly count: number } {
  const order = largestFirst(model, groupsWhere(model, first))
  const rest = groupsWhere(model, (group) => !first(group))
  const groups: Group[] = []
  const weight = new Float64Array(model.weight.length)
  const server = new Int32Array(model.server.length)
  for (const numbers of [order, rest]) {
    for (let at = 0; at < numbers.length; at++) {
      const group = u32(numbers, at)
      const number = groups.push(item(model.groups, group)) - 1
      server[number] = i32(model.server, group)
      for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
        weight[number * DIMENSIONS + dimension] = f64(model.weight, group * DIMENSIONS + dimension)
      }
    }
  }
  return { sorted: { ...model, groups, weight, server }, count: order.length }
}

/** Sorts items by keys[item] XOR flip, stably: flip 0 is ascending, 0xffffffff descending. */
function radixSort(items: Uint32Array, keys: Uint32Array, flip: number): Uint32Array {
  let from = items
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const start = new Uint32Array(DIGITS + 1)
    for (let at = 0; at < from.length; at++) {
      const digit = ((u32(keys, u32(from, at)) ^ flip) >>> shift) & (DIGITS - 1)
      start[digit + 1] = u32(start, digit + 1) + 1
    }
    for (let digit = 0; digit < DIGITS; digit++) start[digit + 1] = u32(start, digit + 1) + u32(start, digit)
    const to = new Uint32Array(from.length)
    for (let at = 0; at < from.length; at++) {
      const group = u32(from, at)
      const digit = ((u32(keys, group) ^ flip) >>> shift) & (DIGITS - 1)
      const place = u32(start, digit)
      to[place] = group
      start[digit] = place + 1
    }
    from = to
  }
  return from
}

/** Runs of equal keys are mostly in order already (by hash); those that are not are sorted by comparison. */
function settleEquals(order: Uint32Array, keys: Uint32Array, compare: (a: number, b: number) => number): void {
  let start = 0
  let inOrder = true
  for (let at = 1; at <= order.length; at++) {
    const same = at < order.length && u32(keys, u32(order, at)) === u32(keys, u32(order, start))
    if (same) {
      if (inOrder) inOrder = compare(u32(order, at - 1), u32(order, at)) < 0
      continue
    }
    if (!inOrder) order.set(Array.from(order.subarray(start, at)).sort(compare), start)
    start = at
    inOrder = true
  }
}
