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
  const owner = new Int32Array(model.groups.length)
  const moving = groupsWhere(model, (group) => {
    if (isKept(model, group) || !(options.balance || isForced(model, group))) return false
    owner[group] = i32(serving, ring.ownerOf(item(model.groups, group).name))
    return owner[group] !== i32(model.server, group)
  })
  if (moving.length === 0) return working
  for (const group of largestFirst(model, moving)) {
    working.move(group, i32(owner, group), reasonOf(model, group, 'ring'))
  }
  return working
}

/** On the ring: bytes per second, or records per second when no collector states bytes. */
function capacityOf(model: Model, collector: number): number {
  const bytes = f64(model.capacity, collector * DIMENSIONS)
  return bytes > 0 ? bytes : f64(model.capacity, collector * DIMENSIONS + 1)
}
