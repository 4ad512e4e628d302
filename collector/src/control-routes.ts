// What assigners and operators ask a collector.

import type { CollectorState, CollectorStatusAnswer, LoadAnswer } from '@catchment/protocol'
import type { SessionState } from '@catchment/coordination'
import type { Metrics, Route } from '@catchment/runtime'
import type { Assignment } from './cluster/assignment.ts'
import type { LoadMeter } from './decide/load.ts'
import { servedGroups } from './decide/routing.ts'
import type { DeliveryLoop } from './delivery/delivery-loop.ts'
import type { Store } from './segments/store.ts'

export interface ControlParts {
  readonly id: string
  readonly session: () => SessionState
  readonly assignment: Assignment
  readonly load: LoadMeter
  readonly store: Store
  readonly delivery: DeliveryLoop
  readonly metrics: Metrics
  readonly mirror: string
  readonly diskMax: number
  readonly state: () => CollectorState
}

export function controlRoutes(parts: ControlParts): Route[] {
  const { metrics, session } = parts
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
        const ready = parts.state() === 'serving' && session() === 'connected'
        return ready
          ? { text: 'ready\n' }
          : { status: 503, text: `not ready: ${parts.state()}, ZooKeeper session ${session()}\n` }
      },
    },
  ]
}

function loadAnswer({ id, assignment, load }: ControlParts): LoadAnswer {
  return { collector: id, appliedEpoch: assignment.list.epoch, total: load.total(), groups: load.groups() }
}

function statusAnswer(parts: ControlParts): CollectorStatusAnswer {
  const { id, state, session, assignment, load, store, delivery, diskMax, mirror, metrics } = parts
  return {
    id,
    state: state(),
    session: session(),
    appliedEpoch: assignment.list.epoch,
    groups: servedGroups(assignment.list),
    load: load.total(),
    disk: { dataBytes: store.dataBytes, dataBytesMax: diskMax, undeliveredBytes: delivery.undeliveredBytes },
    mirror,
    streams: store.streams,
    counters: metrics.counters(),
  }
}
