// What assigners and operators ask a collector.

import type { CollectorStatusAnswer, LoadAnswer } from '@catchment/protocol'
import type { Metrics, Route } from '@catchment/runtime'
import type { Assignment } from './cluster/assignment.ts'
import type { ClusterMember } from './cluster/membership.ts'
import type { LoadMeter } from './decide/load.ts'
import { servedGroups } from './decide/routing.ts'
import type { Deliveries } from './delivery/deliveries.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Store } from './segments/store.ts'

export interface ControlParts {
  readonly id: string
  readonly lifecycle: Pick<Lifecycle, 'state'>
  readonly member: Pick<ClusterMember, 'sessionState'>
  readonly assignment: Assignment
  readonly load: LoadMeter
  readonly store: Store
  readonly deliveries: Pick<Deliveries, 'undeliveredBytes'>
  readonly metrics: Metrics
  readonly mirror: string
  readonly diskMax: number
}

export function controlRoutes(parts: ControlParts): Route[] {
  const { metrics, lifecycle, member } = parts
  return [
    { method: 'GET', path: '/v1/load', handle: () => ({ json: loadAnswer(parts) }) },
    { method: 'GET', path: '/v1/status', handle: () => ({ json: statusAnswer(parts) }) },
    {
      method: 'GET',
      path: '/metrics',
      handle: async () => ({ text: await metrics.text(), headers: { 'content-type': metrics.contentType } }),
    },
    { method: 'GET', path: '/healthz', handle: () => ({ text: 'ok\n' }) },
    {
      method: 'GET',
      path: '/readyz',
      handle: () => {
        const ready = lifecycle.state === 'serving' && member.sessionState === 'connected'
        return ready
          ? { text: 'ready\n' }
          : { status: 503, text: `not ready: ${lifecycle.state}, ZooKeeper session ${member.sessionState}\n` }
      },
    },
  ]
}

function loadAnswer({ id, assignment, load }: ControlParts): LoadAnswer {
  return { collector: id, appliedEpoch: assignment.list.epoch, total: load.total(), groups: load.groups() }
}

function statusAnswer(parts: ControlParts): CollectorStatusAnswer {
  const { id, lifecycle, member, assignment, load, store, deliveries, diskMax, mirror, metrics } = parts
  return {
    id,
    state: lifecycle.state,
    session: member.sessionState,
    appliedEpoch: assignment.list.epoch,
    groups: servedGroups(assignment.list),
    load: load.total(),
    disk: { dataBytes: store.dataBytes, dataBytesMax: diskMax, undeliveredBytes: deliveries.undeliveredBytes },
    mirror,
    streams: store.streams,
    counters: metrics.counters(),
  }
}
