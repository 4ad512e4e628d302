import type { Metrics } from '@catchment/runtime'
import type { ControlLoop } from './control-loop.ts'
import type { Observation } from './observation.ts'
import type { Resolving } from './resolving.ts'

export interface Measured {
  readonly observation: Observation
  readonly loop: ControlLoop
  readonly resolving: Resolving
  readonly term: () => number | undefined
  readonly imbalance: () => number
  readonly ageMs: () => number
}

/** What Prometheus sees of an assigner. */
export function addGauges(metrics: Metrics, measured: Measured): void {
  const { observation, loop, resolving, term, imbalance, ageMs } = measured
  const { index, membership } = observation
  metrics.gauge('assigner_groups', 'Groups that a list tells a collector to serve', () => index.size)
  metrics.gauge('assigner_epoch', 'Epoch of the assignment', () => observation.epoch)
  metrics.gauge('assigner_term', 'The term it leads in, 0 while it does not', () => term() ?? 0)
  metrics.gauge('assigner_collectors', 'Known collectors', () => observation.snapshot?.collectors.size ?? 0)
  metrics.gauge('assigner_collectors_living', 'Collectors that live', () => membership.living.size)
  metrics.gauge('assigner_imbalance', 'Greatest pressure; 1 is even', imbalance)
  metrics.gauge('assigner_waiters', 'Agents that wait for an answer', () => resolving.waiting)
  metrics.gauge('assigner_wanted_groups', 'Groups waiting to be created', () => loop.wanted)
  metrics.gauge('assigner_frozen', '1 while frozen', () => (observation.frozen === undefined ? 0 : 1))
  metrics.gauge('assigner_tree_age_seconds', 'Since the tree was last heard of', () => ageMs() / 1000)
}
