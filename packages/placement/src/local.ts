// The strategy `local`: move only what is necessary, towards collectors with little load.
//
// Forced groups first (emergencies.ts); then joiners are filled (join.ts); then, only when a collector is hotter than
// `shedStart`, load is shed (shed.ts). The last two repeat until neither finds anything. What each does depends on the
// state alone, not on how it came about, so a plan applied leads to an empty plan. For the same reason a death can be
// followed, in the same plan, by moves for `balance`, when groups are so coarse that placing the dead one's leaves a
// collector above `shedStart`; with `balance: false` it never is.
import { Balancer } from './balancer.ts'
import { placeForced } from './emergencies.ts'
import { fillJoiners } from './join.ts'
import { WorkingPlan } from './working-plan.ts'
import type { Model } from './model.ts'
import { i32, item } from './arrays.ts'
import type { PlanOptions } from './options.ts'
import { hottestOf } from './pressure.ts'
import { shed } from './shed.ts'

/** Rounds of joining and shedding in one plan; one or two are usual. What is left goes on in the next plan. */
const ROUNDS_MAX = 16

export function planLocal(model: Model, options: PlanOptions): WorkingPlan {
  const working = new WorkingPlan(model)
  placeForced(working)
  if (!options.balance || !isUneven(working, options)) return working
  const balancer = new Balancer(working, options)
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const joined = fillJoiners(balancer)
    if (!shed(balancer) && !joined) break
  }
  return working
}

/** Whether anyone is too hot or has just joined: looks at collectors alone, as most plans end here. */
function isUneven({ model, pressures }: WorkingPlan, options: PlanOptions): boolean {
  if (hottestOf(pressures, model.serving) > options.shedStart) return true
  for (let at = 0; at < model.serving.length; at++) {
    const collector = i32(model.serving, at)
    const below = item(model.collectors, collector).joining === true ? options.joinStop : options.joinStart
    if (pressures.of(collector) < below) return true
  }
  return false
}
