// The strategy `global`: plan all groups anew over the collectors that serve, largest first (greedy.ts), then give the
// bins to collectors so that what can stay stays (relabel.ts). Groups on cordoned collectors stay where they are.
//
// The bins depend on weights and capacities alone and not on who serves what now, so a second run finds the same bins
// and moves nothing. Nothing moves either when nothing is forced and the present is as even as the plan.
import { i32, u32 } from './arrays.ts'
import { placeGreedily } from './greedy.ts'
import { Ledger } from './ledger.ts'
import type { Model } from './model.ts'
import { isForced, isKept, reasonOf } from './model.ts'
import { largestFirst } from './ordering.ts'
import { hottestOf, Pressures } from './pressure.ts'
import { relabel } from './relabel.ts'

export function planGlobal(model: Model): Ledger {
  const ledger = new Ledger(model)
  const movable = Uint32Array.from(model.groups.keys()).filter((group) => !isKept(model, group))
  const order = largestFirst(model, movable)
  const bin = new Int32Array(order.length)
  const { load, unit } = ledger.pressures
  const planned = new Pressures(unit, new Float64Array(load.length), model.weight)
  placeGreedily(order, model.serving, planned, (_group, collector, position) => {
    bin[position] = collector
  })
  const isBetter = hottestOf(planned, model.serving) < hottestOf(ledger.pressures, model.serving)
  if (!isBetter && !order.some((group) => isForced(model, group))) return ledger
  const target = relabel(model, order, bin)
  for (let at = 0; at < order.length; at++) {
    const group = u32(order, at)
    const to = i32(target, at)
    if (to !== i32(ledger.server, group)) ledger.move(group, to, reasonOf(model, group, 'global'))
  }
  return ledger
}
