// How one collector can relieve another: which group to hand over, or which two to exchange. Each looks at a few
// candidates around a binary search, never at all groups. Whatever is offered lowers the greater pressure of the two,
// so handing over can never go round in circles.
import { f64 } from './arrays.ts'
import type { Model } from './model.ts'
import { totalsOf } from './model.ts'
import { sizesOf } from './ordering.ts'
import type { Pressures } from './pressure.ts'
import type { GroupsByWeight } from './groups-by-weight.ts'
import { DIMENSIONS } from './weights.ts'

/** Candidates looked at on each side of a binary search, and groups offered for exchange. */
const LOOKED_AT_MAX = 8
const OFFERED_MAX = 32

/** A handover from `hot` to `cold`, and for an exchange what comes back. */
export interface Transfer {
  readonly hot: number
  readonly cold: number
  readonly out: number
  readonly back: number | undefined
  /** The greater pressure of the two afterwards. */
  readonly peak: number
  /** The sizes of what moves: its share of the load of all groups. */
  readonly share: number
}

export interface Pair {
  readonly hot: number
  readonly cold: number
  /** What may still be moved, as a share of the load of all groups. */
  readonly shareMax: number
}

export class Transfers {
  readonly #pressures: Pressures
  readonly #byWeight: GroupsByWeight
  readonly #weight: Float64Array
  readonly #totals: Float64Array
  readonly #size: (group: number) => number

  constructor(model: Model, pressures: Pressures, byWeight: GroupsByWeight) {
    this.#pressures = pressures
    this.#byWeight = byWeight
    this.#weight = model.weight
    this.#totals = totalsOf(model, () => true)
    this.#size = sizesOf(model)
  }

  /**
   * The smallest group that brings `hot` down to `goal` while `cold` stays at or below `ceiling`; else the largest that
   * `cold` can take so.
   */
  handover(pair: Pair, goal: number, ceiling: number): Transfer | undefined {
    const dimension = this.#pressures.dimensionOf(pair.hot)
    const list = this.#byWeight.list(pair.hot, dimension)
    const enough = this.#byWeight.lowerBound(list, dimension, this.#excess(pair.hot, dimension, goal))
    return (
      this.#firstFit(pair, list.slice(enough, enough + LOOKED_AT_MAX), ceiling) ??
      this.#largestFit(pair, enough, ceiling)
    )
  }

  /** The largest group that `cold` can take below `ceiling` without `hot` falling below `floor`. */
  surplus(pair: Pair, floor: number, ceiling: number): Transfer | undefined {
    const dimension = this.#pressures.dimensionOf(pair.hot)
    const list = this.#byWeight.list(pair.hot, dimension)
    const end = this.#byWeight.lowerBound(list, dimension, this.#excess(pair.hot, dimension, floor))
    return this.#largestFit(pair, end, ceiling)
  }

  /** The exchange of two groups, or else the single group, that leaves the least peak, if it gains at least `gain`. */
  best(pair: Pair, goal: number, gain: number): Transfer | undefined {
    const before = this.#pressures.of(pair.hot)
    let best: Transfer | undefined
    for (const transfer of [this.#exchange(pair, goal), this.#halving(pair)]) {
      if (transfer !== undefined && transfer.peak < (best?.peak ?? before - gain)) best = transfer
    }
    return best
  }

  #firstFit(pair: Pair, groups: readonly number[], ceiling: number): Transfer | undefined {
    for (const out of groups) {
      const transfer = this.#transfer(pair, out, undefined)
      if (this.#pressures.with(pair.cold, out) <= ceiling && this.#helps(transfer, pair)) return transfer
    }
    return undefined
  }

  #largestFit(pair: Pair, end: number, ceiling: number): Transfer | undefined {
    const dimension = this.#pressures.dimensionOf(pair.hot)
    const list = this.#byWeight.list(pair.hot, dimension)
    const fits = this.#byWeight.lowerBound(list, dimension, -this.#excess(pair.cold, dimension, ceiling) + 1)
    const dear = pair.shareMax * f64(this.#totals, dimension) + 1
    const last = Math.min(end, fits, this.#byWeight.lowerBound(list, dimension, dear))
    return this.#firstFit(pair, list.slice(Math.max(0, last - LOOKED_AT_MAX), last).reverse(), ceiling)
  }

  /** The single group that comes nearest to making the two equal. */
  #halving(pair: Pair): Transfer | undefined {
    const dimension = this.#pressures.dimensionOf(pair.hot)
    const list = this.#byWeight.list(pair.hot, dimension)
    const units = this.#unit(pair.hot, dimension) + this.#unit(pair.cold, dimension)
    const half = (this.#pressures.of(pair.hot) - this.#pressures.of(pair.cold)) / units
    const middle = this.#byWeight.lowerBound(list, dimension, half)
    let best: Transfer | undefined
    for (const out of list.slice(Math.max(0, middle - LOOKED_AT_MAX), middle + LOOKED_AT_MAX)) {
      const transfer = this.#transfer(pair, out, undefined)
      if (this.#helps(transfer, pair) && transfer.peak < (best?.peak ?? Infinity)) best = transfer
    }
    return best
  }

  /** Exchanges of a group of `hot`, the lightest that would suffice first, for one of `cold` that is lighter by enough. */
  #exchange(pair: Pair, goal: number): Transfer | undefined {
    const dimension = this.#pressures.dimensionOf(pair.hot)
    const need = this.#excess(pair.hot, dimension, goal)
    const list = this.#byWeight.list(pair.hot, dimension)
    const others = this.#byWeight.list(pair.cold, dimension)
    const from = this.#byWeight.lowerBound(list, dimension, need)
    let best: Transfer | undefined
    for (const out of list.slice(from, from + OFFERED_MAX)) {
      const lighter = f64(this.#weight, out * DIMENSIONS + dimension) - need
      const at = this.#byWeight.lowerBound(others, dimension, lighter)
      for (const back of others.slice(Math.max(0, at - 1), at + 2)) {
        const transfer = this.#transfer(pair, out, back)
        if (this.#helps(transfer, pair) && transfer.peak < (best?.peak ?? Infinity)) best = transfer
      }
      if (best !== undefined && best.peak <= goal) return best
    }
    return best
  }

  /** How much weight lies above this pressure; negative: how much room is below it. */
  #excess(collector: number, dimension: number, pressure: number): number {
    const unit = this.#unit(collector, dimension)
    return f64(this.#pressures.load, collector * DIMENSIONS + dimension) - pressure / unit
  }

  #unit(collector: number, dimension: number): number {
    return f64(this.#pressures.unit, collector * DIMENSIONS + dimension)
  }

  #helps({ peak, share }: Transfer, { hot, shareMax }: Pair): boolean {
    return share <= shareMax && peak < this.#pressures.of(hot)
  }

  #transfer({ hot, cold }: Pair, out: number, back: number | undefined): Transfer {
    const left = back === undefined ? this.#pressures.without(hot, out) : this.#pressures.exchanged(hot, out, back)
    const right = back === undefined ? this.#pressures.with(cold, out) : this.#pressures.exchanged(cold, back, out)
    const share = this.#size(out) + (back === undefined ? 0 : this.#size(back))
    return { hot, cold, out, back, peak: Math.max(left, right), share }
  }
}
