// The strategy `global`: plan all groups again over the collectors that serve, largest first (greedy.ts), then give the
// bins to collectors so that what can stay stays (relabel.ts). Groups on cordoned collectors stay where they are.
//
// The bins depend on weights and capacities alone and not on who serves what now, so a second run finds the same bins
// and moves nothing. Nothing moves either when nothing is forced and the present is as even as the plan.
import { i32 } from './arrays.ts'
import { placeGreedily } from './greedy.ts'
import { WorkingPlan } from './working-plan.ts'
import type { Model } from './model.ts'
import { isForced, isKept, reasonOf } from './model.ts'
import { renumbered } from './ordering.ts'
import { hottestOf, Pressures } from './pressure.ts'
import { relabel } from './relabel.ts'

export function planGlobal(model: Model): WorkingPlan {
  const { sorted, count } = renumbered(model, (group) => !isKept(model, group))
  const working = new WorkingPlan(sorted)
  const { load, unit } = working.pressures
  const planned = new Pressures(unit, new Float64Array(load.length), sorted.weight)
  const order = new Uint32Array(count).map((_, group) => group)
  const bin = new Int32Array(count)
  placeGreedily(order, sorted.serving, planned, (group, collector) => {
    bin[group] = collector
  })
  const isBetter = hottestOf(planned, sorted.serving) < hottestOf(working.pressures, sorted.serving)
  if (!isBetter && !order.some((group) => isForced(sorted, group))) return working
  const target = relabel(sorted, bin)
  for (let group = 0; group < count; group++) {
    const to = i32(target, group)
    if (to !== i32(sorted.server, group)) working.note(group, to, reasonOf(sorted, group, 'global'))
  }
  return working
}
