import type { Metrics } from '@catchment/runtime'
import type { ControlLoop } from '../control/control-loop.ts'
import type { Observation } from '../tree/observation.ts'
import type { Leadership } from '../tree/leadership.ts'
import type { SessionWatch } from '../tree/session-watch.ts'
import type { GroupResolver } from './group-resolver.ts'
import type { TreeReporter } from './tree-reporter.ts'

export interface GaugeSources {
  readonly observation: Observation
  readonly loop: ControlLoop
  readonly leadership: Leadership
  readonly resolver: GroupResolver
  readonly sessionWatch: SessionWatch
  readonly tree: TreeReporter
}

/** What Prometheus sees of an assigner. */
export function addGauges(metrics: Metrics, sources: GaugeSources): void {
  const { leadership, loop, observation, resolver, sessionWatch, tree } = sources
  const { index } = observation
  metrics.gauge('assigner_groups', 'Groups that stand in a list to be served', () => index.size)
  metrics.gauge('assigner_epoch', 'Epoch of the assignment', () => observation.epoch)
  metrics.gauge('assigner_term', 'The term it leads in, 0 while it does not', () => leadership.lead?.term ?? 0)
  metrics.gauge('assigner_collectors', 'Known collectors', () => observation.snapshot?.collectors.size ?? 0)
  metrics.gauge('assigner_collectors_living', 'Collectors that live', () => observation.living.size)
  metrics.gauge('assigner_imbalance', 'Greatest pressure; 1 is even', () => tree.answer().imbalance)
  metrics.gauge('assigner_waiters', 'Agents that wait for an answer', () => resolver.waiting)
  metrics.gauge('assigner_wanted_groups', 'Groups waiting to be created', () => loop.wanted)
  metrics.gauge('assigner_frozen', '1 while frozen', () => (observation.frozen === undefined ? 0 : 1))
  metrics.gauge('assigner_tree_age_seconds', 'Since the tree was last heard of', () => sessionWatch.ageMs / 1000)
}
