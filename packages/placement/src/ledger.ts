// What a plan has decided so far: who would serve each group, the pressures that follow, and why each group was touched.
// A group that is touched twice becomes one move, one that comes back becomes none.
import { i32, item } from './arrays.ts'
import type { Model } from './model.ts'
import { isForced, loadsOf, NOBODY } from './model.ts'
import { Pressures, planUnits } from './pressure.ts'
import type { Move, MoveReason } from './situation.ts'

export class Ledger {
  readonly model: Model
  /** Who would serve each group. */
  readonly server: Int32Array
  readonly pressures: Pressures
  readonly #why = new Map<number, MoveReason>()

  constructor(model: Model) {
    this.model = model
    this.server = model.server.slice()
    this.pressures = new Pressures(planUnits(model), loadsOf(model, model.server), model.weight)
  }

  /** Gives the group to the collector; the first reason stays. */
  move(group: number, to: number, why: MoveReason): void {
    const from = i32(this.server, group)
    if (from !== NOBODY) this.pressures.add(from, group, -1)
    this.pressures.add(to, group)
    this.note(group, to, why)
  }

  /** The same for a caller that has kept the pressures itself. */
  note(group: number, to: number, why: MoveReason): void {
    this.server[group] = to
    if (!this.#why.has(group)) this.#why.set(group, why)
  }

  /** One move for each group that changes its server: forced ones first, otherwise in the order of deciding. */
  moves(): Move[] {
    const { collectors, groups, server } = this.model
    const forced: Move[] = []
    const others: Move[] = []
    for (const [group, why] of this.#why) {
      const to = i32(this.server, group)
      if (to === i32(server, group)) continue
      const { name, server: from } = item(groups, group)
      const moves = isForced(this.model, group) ? forced : others
      moves.push({ group: name, from, to: item(collectors, to).id, why })
    }
    return forced.concat(others)
  }
}
