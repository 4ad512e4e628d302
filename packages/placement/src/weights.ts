// Loads as whole numbers. Sums of floating-point loads depend on the order of adding, and then two plans of one
// situation would differ by the order of its lists; sums of integers below 2^53 do not. The scale is a power of two
// taken from the largest load and the count alone, so it does not depend on the order either.
import { f64, item } from './arrays.ts'
import type { Collector, Group, Load } from './situation.ts'

/** Dimensions of load: 0 is bytes per second, 1 is records per second. Arrays hold [index * DIMENSIONS + dimension]. */
export const DIMENSIONS = 2

/** A group weighs at least this part of the mean, so that groups without traffic spread by count. */
const FLOOR_PART = 1 / 10_000
const WEIGHT_TOTAL_MAX = 2 ** 52
const SCALE_EXPONENT_MAX = 1000

function amount(load: Load | undefined, dimension: number): number {
  if (load === undefined) return NaN
  return dimension === 0 ? load.bytesPerSecond : load.recordsPerSecond
}

const measured = (value: number): boolean => value >= 0 && value < Infinity

/** The weights of all groups: integers of at least 1, whose sum in each dimension is exact. */
export function weighGroups(groups: readonly Group[]): Float64Array {
  const weight = new Float64Array(groups.length * DIMENSIONS)
  for (let dimension = 0; dimension < DIMENSIONS; dimension++) weighDimension(groups, dimension, weight)
  return weight
}

function weighDimension(groups: readonly Group[], dimension: number, weight: Float64Array): void {
  let largest = 0
  for (let group = 0, at = dimension; group < groups.length; group++, at += DIMENSIONS) {
    const value = amount(item(groups, group).load, dimension)
    weight[at] = measured(value) ? value : NaN
    if (measured(value) && value > largest) largest = value
  }
  const exponent = Math.floor(Math.log2(WEIGHT_TOTAL_MAX / groups.length / largest))
  const scale = largest === 0 ? 0 : 2 ** Math.min(exponent, SCALE_EXPONENT_MAX)
  let sum = 0
  let count = 0
  for (let at = dimension; at < weight.length; at += DIMENSIONS) {
    const scaled = Math.round(f64(weight, at) * scale)
    weight[at] = scaled
    if (Number.isNaN(scaled)) continue
    sum += scaled
    count++
  }
  const mean = count === 0 ? 1 : Math.max(1, Math.floor(sum / count))
  const floor = Math.max(1, Math.floor(mean * FLOOR_PART))
  for (let at = dimension; at < weight.length; at += DIMENSIONS) {
    const scaled = f64(weight, at)
    weight[at] = Number.isNaN(scaled) ? mean : Math.max(floor, scaled)
  }
}

/** Capacities as [collector * DIMENSIONS + dimension]; 0 throughout a dimension that is not planned by. */
export function capacitiesOf(collectors: readonly Collector[]): Float64Array {
  const capacity = new Float64Array(collectors.length * DIMENSIONS)
  let planned = 0
  for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
    const stated = collectors.map(({ capacity: load }) => amount(load, dimension))
    const valid = stated.filter((value) => value > 0 && value < Infinity)
    if (valid.length === 0) continue
    planned++
    const mean = valid.reduce((sum, value) => sum + value / valid.length, 0)
    for (const [index, value] of stated.entries()) {
      capacity[index * DIMENSIONS + dimension] = value > 0 && value < Infinity ? value : mean
    }
  }
  return planned === 0 ? capacity.fill(1) : capacity
}
