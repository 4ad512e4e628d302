import { item } from './arrays.ts'
import { forcedGroups } from './emergencies.ts'
import { planGlobal } from './global.ts'
import { planHashRing } from './hash-ring.ts'
import type { WorkingPlan } from './working-plan.ts'
import { planLocal } from './local.ts'
import type { Model } from './model.ts'
import { modelOf } from './model.ts'
import type { PlanOptions } from './options.ts'
import { defaultOptions } from './options.ts'
import { imbalanceOf, reportUnits } from './pressure.ts'
import type { Plan, Situation } from './situation.ts'

export type Strategy = 'hash-ring' | 'global' | 'local'

/**
 * Who should serve which group, as the changes from who does now.
 *
 * The same situation, its lists in any order, gives the same plan; a plan applied leads to an empty plan, unless a
 * budget of the options cut it short. Collectors that are cordoned keep their groups and get none, under every strategy;
 * without any that serves nothing moves. Pure: nothing is kept between calls.
 *
 * Throws RangeError when two collectors have one id.
 */
export function plan(strategy: Strategy, situation: Situation, options: Partial<PlanOptions> = {}): Plan {
  const model = modelOf(situation)
  const units = reportUnits(model)
  const imbalanceBefore = imbalanceOf(model, units, model.server)
  if (model.serving.length === 0) {
    const unplaced = Array.from(forcedGroups(model), (group) => item(model.groups, group).name)
    return { moves: [], unplaced, imbalanceBefore, imbalanceAfter: imbalanceBefore }
  }
  const working = decide(strategy, model, { ...defaultOptions, ...options })
  const moves = working.moves()
  const imbalanceAfter = moves.length === 0 ? imbalanceBefore : imbalanceOf(working.model, units, working.server)
  return { moves, unplaced: [], imbalanceBefore, imbalanceAfter }
}

function decide(strategy: Strategy, model: Model, options: PlanOptions): WorkingPlan {
  switch (strategy) {
    case 'local':
      return planLocal(model, options)
    case 'global':
      return options.balance ? planGlobal(model) : planLocal(model, options)
    case 'hash-ring':
      return planHashRing(model, options)
  }
}
