// Who should serve which group: pure functions over plain data. `plan` says which groups change their server and why.
export type { Collector, Group, Load, Move, MoveReason, Plan, Situation } from './situation.ts'
export type { PlanOptions } from './options.ts'
export { defaultOptions } from './options.ts'
export type { Strategy } from './plan.ts'
export { plan } from './plan.ts'
export { pressures } from './pressure.ts'
