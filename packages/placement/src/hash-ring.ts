// The strategy `hash-ring`: every group on the collector that owns its name on the weighted ring. A collector that comes
// takes groups, one that goes gives its own away, nothing else moves.
//
// It does not look at loads. Groups on cordoned collectors stay where they are.
import { weightedRing } from '@catchment/hashing'
import { f64, i32, item } from './arrays.ts'
import { WorkingPlan } from './working-plan.ts'
import type { Model } from './model.ts'
import { groupsWhere, isForced, isKept, reasonOf } from './model.ts'
import type { PlanOptions } from './options.ts'
import { largestFirst } from './ordering.ts'
import { DIMENSIONS } from './weights.ts'

export function planHashRing(model: Model, options: PlanOptions): WorkingPlan {
  const working = new WorkingPlan(model)
  const { serving } = model
  const ring = weightedRing(
    Array.from(serving, (collector) => ({
      id: item(model.collectors, collector).id,
      capacity: capacityOf(model, collector),
    })),
  )
  const movable = groupsWhere(model, (group) => !isKept(model, group) && (options.balance || isForced(model, group)))
  for (const group of largestFirst(model, movable)) {
    const to = i32(serving, ring.ownerOf(item(model.groups, group).name))
    if (to !== i32(working.server, group)) working.move(group, to, reasonOf(model, group, 'ring'))
  }
  return working
}

/** On the ring: bytes per second, or records per second when no collector states bytes. */
function capacityOf(model: Model, collector: number): number {
  const bytes = f64(model.capacity, collector * DIMENSIONS)
  return bytes > 0 ? bytes : f64(model.capacity, collector * DIMENSIONS + 1)
}
