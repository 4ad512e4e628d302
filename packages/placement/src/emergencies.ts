// What cannot wait: groups without a server, and those of draining collectors. Nothing else is touched.
import { i32, u32 } from './arrays.ts'
import { placeGreedily } from './greedy.ts'
import type { WorkingPlan } from './working-plan.ts'
import type { Model } from './model.ts'
import { groupsWhere, isForced, UNSERVED, reasonOf } from './model.ts'
import { largestFirst } from './ordering.ts'

/** The groups that must find a server, largest first. */
export function forcedGroups(model: Model): Uint32Array {
  const forced = groupsWhere(model, (group) => isForced(model, group))
  return forced.length === 0 ? forced : largestFirst(model, forced)
}

/** Places every forced group, largest first, on the collector that has the least pressure with it. */
export function placeForced(working: WorkingPlan): void {
  const { model, pressures } = working
  const forced = forcedGroups(model)
  for (let at = 0; at < forced.length; at++) {
    const from = i32(model.server, u32(forced, at))
    if (from !== UNSERVED) pressures.add(from, u32(forced, at), -1)
  }
  placeGreedily(forced, model.serving, pressures, (group, to) => {
    working.note(group, to, reasonOf(model, group, 'drain'))
  })
}
