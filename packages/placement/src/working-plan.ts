// What a plan has decided so far: who would serve each group, the pressures that follow, and why each group was touched.
// A group that is touched twice becomes one move, one that comes back becomes none.
import { i32, item } from './arrays.ts'
import type { Model } from './model.ts'
import { isForced, loadsOf, UNSERVED } from './model.ts'
import { Pressures, planUnits } from './pressure.ts'
import type { Move, MoveReason } from './situation.ts'

const reasons: readonly MoveReason[] = ['orphan', 'new', 'drain', 'join', 'balance', 'global', 'ring']

export class WorkingPlan {
  readonly model: Model
  /** Who would serve each group. */
  readonly server: Int32Array
  readonly pressures: Pressures
  /** Groups in the order in which they were first touched, and why: 1 + the index in `reasons`. */
  readonly #touched: Uint32Array
  readonly #reason: Uint8Array
  #count = 0

  constructor(model: Model) {
    this.model = model
    this.server = model.server.slice()
    this.#touched = new Uint32Array(model.groups.length)
    this.#reason = new Uint8Array(model.groups.length)
    this.pressures = new Pressures(planUnits(model), loadsOf(model, model.server), model.weight)
  }

  /** Gives the group to the collector; the first reason stays. */
  move(group: number, to: number, why: MoveReason): void {
    const from = i32(this.server, group)
    if (from !== UNSERVED) this.pressures.add(from, group, -1)
    this.pressures.add(to, group)
    this.note(group, to, why)
  }

  /** The same for a caller that keeps the pressures itself, or asks no more for them. */
  note(group: number, to: number, why: MoveReason): void {
    this.server[group] = to
    if (this.#reason[group] !== 0) return
    this.#reason[group] = 1 + reasons.indexOf(why)
    this.#touched[this.#count] = group
    this.#count++
  }

  /** One move for each group that changes its server: forced ones first, otherwise in the order of deciding. */
  moves(): Move[] {
    const { collectors, groups, server } = this.model
    const forced: Move[] = []
    const others: Move[] = []
    for (const group of this.#touched.subarray(0, this.#count)) {
      const to = i32(this.server, group)
      if (to === i32(server, group)) continue
      const { name, server: from } = item(groups, group)
      const why = item(reasons, (this.#reason[group] ?? 0) - 1)
      const moves = isForced(this.model, group) ? forced : others
      moves.push({ group: name, from, to: item(collectors, to).id, why })
    }
    return forced.concat(others)
  }
}
