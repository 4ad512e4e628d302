// The groups of each collector by weight, so that "the smallest group that suffices" is a binary search and no move
// looks at all groups. Lists are made when they are first asked for: most collectors are neither hot nor exchange.
import { f64, i32, item } from './arrays.ts'
import type { Model } from './model.ts'
import { UNSERVED } from './model.ts'
import { DIMENSIONS } from './weights.ts'

export class GroupsByWeight {
  readonly #model: Model
  readonly #start: Int32Array
  readonly #groups: Int32Array
  readonly #lists = new Map<number, number[]>()
  /** Groups that came or went since the start, for lists that are made later. */
  readonly #moved = new Map<number, number>()

  constructor(model: Model, server: Int32Array) {
    this.#model = model
    this.#start = new Int32Array(model.collectors.length + 1)
    for (const collector of server) {
      if (collector !== UNSERVED) this.#start[collector + 1] = i32(this.#start, collector + 1) + 1
    }
    for (let at = 1; at < this.#start.length; at++) this.#start[at] = i32(this.#start, at) + i32(this.#start, at - 1)
    this.#groups = new Int32Array(i32(this.#start, model.collectors.length))
    const next = this.#start.slice()
    for (let group = 0; group < server.length; group++) {
      const collector = i32(server, group)
      if (collector === UNSERVED) continue
      const place = i32(next, collector)
      this.#groups[place] = group
      next[collector] = place + 1
    }
  }

  /** The groups of a collector, lightest first in this dimension, equals by name. Changes with `move`. */
  list(collector: number, dimension: number): readonly number[] {
    return this.#list(collector, dimension)
  }

  /** The first place in the list whose group weighs at least this much. */
  lowerBound(list: readonly number[], dimension: number, weight: number): number {
    return firstPlace(list, (group) => f64(this.#model.weight, group * DIMENSIONS + dimension) >= weight)
  }

  move(group: number, from: number, to: number): void {
    for (let dimension = 0; dimension < DIMENSIONS; dimension++) {
      const old = this.#lists.get(from * DIMENSIONS + dimension)
      if (old !== undefined) old.splice(this.#place(old, dimension, group), 1)
      const fresh = this.#lists.get(to * DIMENSIONS + dimension)
      if (fresh !== undefined) fresh.splice(this.#place(fresh, dimension, group), 0, group)
    }
    this.#moved.set(group, to)
  }

  #list(collector: number, dimension: number): number[] {
    const known = this.#lists.get(collector * DIMENSIONS + dimension)
    if (known !== undefined) return known
    const list: number[] = []
    for (let at = i32(this.#start, collector), end = i32(this.#start, collector + 1); at < end; at++) {
      const group = i32(this.#groups, at)
      if (!this.#moved.has(group)) list.push(group)
    }
    for (const [group, server] of this.#moved) if (server === collector) list.push(group)
    list.sort((a, b) => this.#compare(a, b, dimension))
    this.#lists.set(collector * DIMENSIONS + dimension, list)
    return list
  }

  #place(list: readonly number[], dimension: number, group: number): number {
    return firstPlace(list, (other) => this.#compare(other, group, dimension) >= 0)
  }

  #compare(a: number, b: number, dimension: number): number {
    if (a === b) return 0
    const { groups, weight } = this.#model
    const difference = f64(weight, a * DIMENSIONS + dimension) - f64(weight, b * DIMENSIONS + dimension)
    return difference === 0 ? (item(groups, a).name < item(groups, b).name ? -1 : 1) : difference
  }
}

/** The first place at which a condition holds that holds for all places after it. */
function firstPlace(list: readonly number[], holds: (group: number) => boolean): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(item(list, middle))) high = middle
    else low = middle + 1
  }
  return low
}
