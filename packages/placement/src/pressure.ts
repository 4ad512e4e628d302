// Pressure: how much of its fair share a collector carries. With L_d its load and cap_d its capacity in dimension d, and
// U_d = Σ load ÷ Σ capacity, it is the greatest (L_d ÷ cap_d) ÷ U_d. 1 is fair. Reports take U over all the living, as
// the definition says. Plans take it over the collectors that serve and what they carry or must take: a cordoned
// collector neither gives nor takes, and a draining one leaves, so neither says what is fair among the others.
import { f64, i32 } from './arrays.ts'
import type { Model } from './model.ts'
import { isKept, loadsOf, totalsOf } from './model.ts'
import type { Situation } from './situation.ts'
import { modelOf } from './model.ts'
import { DIMENSIONS } from './weights.ts'

/** Pressures under changing loads: adding and taking away are exact, because weights are integers. */
export class Pressures {
  readonly unit: Float64Array
  readonly load: Float64Array
  readonly #weight: Float64Array

  /** `unit` is pressure per weight, `load` is changed in place; both as [collector * DIMENSIONS + dimension]. */
  constructor(unit: Float64Array, load: Float64Array, weight: Float64Array) {
    this.unit = unit
    this.load = load
    this.#weight = weight
  }

  of(collector: number): number {
    let pressure = 0
    for (let at = collector * DIMENSIONS, end = at + DIMENSIONS; at < end; at++) {
      const here = f64(this.load, at) * f64(this.unit, at)
      if (here > pressure) pressure = here
    }
    return pressure
  }

  /** The dimension in which the collector is hottest. */
  dimensionOf(collector: number): number {
    let hottest = 0
    let pressure = -1
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      const at = collector * DIMENSIONS + dimension
      const here = f64(this.load, at) * f64(this.unit, at)
      if (here <= pressure) continue
      pressure = here
      hottest = dimension
    }
    return hottest
  }

  /** The pressure of the collector with one more group. */
  with(collector: number, group: number): number {
    let pressure = 0
    const from = collector * DIMENSIONS
    const weights = group * DIMENSIONS
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      const load = f64(this.load, from + dimension) + f64(this.#weight, weights + dimension)
      const here = load * f64(this.unit, from + dimension)
      if (here > pressure) pressure = here
    }
    return pressure
  }

  /** The pressure of the collector without one of its groups. */
  without(collector: number, group: number): number {
    this.add(collector, group, -1)
    const pressure = this.of(collector)
    this.add(collector, group, 1)
    return pressure
  }

  /** The pressure of the collector with one group exchanged for another. */
  exchanged(collector: number, out: number, into: number): number {
    this.add(collector, out, -1)
    const pressure = this.with(collector, into)
    this.add(collector, out, 1)
    return pressure
  }

  add(collector: number, group: number, sign: 1 | -1 = 1): void {
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      const at = collector * DIMENSIONS + dimension
      this.load[at] = f64(this.load, at) + sign * f64(this.#weight, group * DIMENSIONS + dimension)
    }
  }
}

function unitsOf(model: Model, counted: Int32Array, totals: Float64Array): Float64Array {
  const capacities = new Float64Array(DIMENSIONS)
  for (const collector of counted) {
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      capacities[dimension] = f64(capacities, dimension) + f64(model.capacity, collector * DIMENSIONS + dimension)
    }
  }
  return model.capacity.map((capacity, at) => {
    const total = f64(totals, at % DIMENSIONS)
    return capacity > 0 && total > 0 ? f64(capacities, at % DIMENSIONS) / total / capacity : 0
  })
}

/** Pressure per weight by the definition: over all the living. */
export function reportUnits(model: Model): Float64Array {
  const all = Int32Array.from(model.collectors.keys())
  return unitsOf(
    model,
    all,
    totalsOf(model, () => true),
  )
}

/** Pressure per weight for planning: over the collectors that serve. */
export function planUnits(model: Model): Float64Array {
  return unitsOf(
    model,
    model.serving,
    totalsOf(model, (group) => !isKept(model, group)),
  )
}

/** The greatest pressure of all the living when `server` says who serves each group. */
export function imbalanceOf(model: Model, units: Float64Array, server: Int32Array): number {
  const pressures = new Pressures(units, loadsOf(model, server), model.weight)
  let imbalance = 0
  for (let collector = 0; collector < model.collectors.length; collector++) {
    imbalance = Math.max(imbalance, pressures.of(collector))
  }
  return imbalance
}

/** The greatest pressure of the collectors that serve. */
export function hottestOf(pressures: Pressures, serving: Int32Array): number {
  let hottest = 0
  for (let at = 0; at < serving.length; at++) hottest = Math.max(hottest, pressures.of(i32(serving, at)))
  return hottest
}

/**
 * The pressure of every living collector by id: the greatest, over bytes and records, of its load relative to its
 * capacity, divided by the same relation of the whole cluster. 1 is a fair share; all are 0 when there are no groups.
 * Groups that no collector serves count in the whole. Loads count as in plans: an unmeasured group as the mean of the
 * measured ones, one without traffic as a ten-thousandth of it.
 */
export function pressures(situation: Situation): ReadonlyMap<string, number> {
  const model = modelOf(situation)
  const now = new Pressures(reportUnits(model), loadsOf(model, model.server), model.weight)
  return new Map(model.collectors.map(({ id }, collector) => [id, now.of(collector)]))
}
