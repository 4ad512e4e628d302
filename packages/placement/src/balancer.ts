// The shared state of joining and shedding: collectors ordered both ways by pressure, the groups on each, and what may
// still be spent. Every operation lowers the greater pressure of its two collectors, so the sorted list of pressures
// falls lexicographically: no sequence of operations returns to where it was.
import { f64, i32 } from './arrays.ts'
import { CollectorHeap } from './heap.ts'
import type { WorkingPlan } from './working-plan.ts'
import type { PlanOptions } from './options.ts'
import type { Transfer } from './transfers.ts'
import { Transfers } from './transfers.ts'
import { GroupsByWeight } from './groups-by-weight.ts'

/** Operations of one plan, as a multiple of the number of groups: a plan that is not done by then goes on in the next. */
const OPERATIONS_PER_GROUP_MAX = 4

export class Balancer {
  readonly working: WorkingPlan
  readonly options: PlanOptions
  readonly transfers: Transfers
  readonly hottest: CollectorHeap
  readonly coldest: CollectorHeap
  readonly #key: Float64Array
  readonly #byWeight: GroupsByWeight
  readonly #spent = { join: 0, balance: 0 }
  #operations = 0

  constructor(working: WorkingPlan, options: PlanOptions) {
    const { model, pressures } = working
    this.working = working
    this.options = options
    this.#byWeight = new GroupsByWeight(model, working.server)
    this.transfers = new Transfers(model, pressures, this.#byWeight)
    this.#key = new Float64Array(model.collectors.length)
    this.hottest = new CollectorHeap(this.#key, 'hottest')
    this.coldest = new CollectorHeap(this.#key, 'coldest')
    for (let at = 0; at < model.serving.length; at++) {
      const collector = i32(model.serving, at)
      this.#key[collector] = pressures.of(collector)
      this.hottest.insert(collector)
      this.coldest.insert(collector)
    }
  }

  pressure(collector: number): number {
    return f64(this.#key, collector)
  }

  /** What may still be moved for this reason, as a share of the load of all groups; none at the limit of operations. */
  affordable(why: 'join' | 'balance'): number {
    const { model } = this.working
    if (this.#operations >= OPERATIONS_PER_GROUP_MAX * model.groups.length) return 0
    return (why === 'join' ? this.options.joinShareMax : this.options.movedShareMax) - this.#spent[why]
  }

  perform({ hot, cold, out, back, share }: Transfer, why: 'join' | 'balance'): void {
    this.#operations++
    this.#spent[why] += share
    this.#hand(out, cold, why)
    if (back !== undefined) this.#hand(back, hot, why)
    for (const collector of [hot, cold]) {
      this.#key[collector] = this.working.pressures.of(collector)
      this.hottest.update(collector)
      this.coldest.update(collector)
    }
  }

  #hand(group: number, to: number, why: 'join' | 'balance'): void {
    this.#byWeight.move(group, i32(this.working.server, group), to)
    this.working.move(group, to, why)
  }
}
