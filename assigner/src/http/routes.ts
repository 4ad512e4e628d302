// The assigner's HTTP surface: what is asked, checked; what is answered, shaped.

import { groupNameSchema, rebalanceRequestSchema, type TreeAnswer } from '@catchment/protocol'
import { errorBody, type Metrics, type Route } from '@catchment/runtime'
import type { Observation } from '../tree/observation.ts'
import type { Publisher } from '../tree/publisher.ts'
import type { SessionWatch } from '../tree/session-watch.ts'
import { explain } from './decide/explanation.ts'
import type { GroupResolver } from './group-resolver.ts'
import type { LeaderRequests } from './leader-requests.ts'
import { parseBody } from './request-body.ts'
import type { TreeReporter } from './tree-reporter.ts'

/** Streams of events open at once; the next get 503. */
export const eventStreamsMax = 1_000
const treeEventIntervalMs = 2_000

export interface RoutesOptions {
  readonly metrics: Metrics
  readonly observation: Observation
  readonly publisher: Publisher
  readonly requests: LeaderRequests
  readonly resolver: GroupResolver
  readonly sessionWatch: SessionWatch
  readonly tree: TreeReporter
  /** Aborts when the program ends. */
  readonly ends: AbortSignal
}

export function assignerRoutes(options: RoutesOptions): Route[] {
  const { observation, publisher, requests, resolver, tree } = options
  return [
    { method: 'POST', path: '/v1/resolve', handle: (request) => resolver.handle(request) },
    { method: 'GET', path: '/v1/tree', handle: () => ({ json: tree.answer() }) },
    { method: 'GET', path: '/v1/events', handle: eventsRoute(options) },
    {
      method: 'GET',
      path: '/v1/groups/:group/explain',
      handle: async ({ params }) => {
        const group = parseBody(groupNameSchema, params['group'], 'the group in the path')
        const journal = await publisher.journal()
        return { json: explain(group, observation.standpoint(), journal, observation.loads) }
      },
    },
    {
      method: 'POST',
      path: '/v1/rebalance',
      handle: async ({ body, query }) => {
        const request = parseBody(rebalanceRequestSchema, body, 'the body of POST /v1/rebalance')
        return { json: await requests.rebalance(request, query['forwarded'] === '1') }
      },
    },
    ...healthRoutes(options),
  ]
}

function healthRoutes({ metrics, sessionWatch }: RoutesOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      handle: async () => ({ text: await metrics.text(), headers: { 'content-type': metrics.contentType } }),
    },
    { method: 'GET', path: '/healthz', handle: () => ({ json: { ok: true } }) },
    {
      method: 'GET',
      path: '/readyz',
      handle: () => {
        const reason = sessionWatch.obstacle
        return reason === undefined ? { json: { ready: true } } : { status: 503, json: errorBody('not-ready', reason) }
      },
    },
    { method: 'GET', path: '/', handle: () => ({ text: frontPage }) },
  ]
}

const frontPage = `Catchment assigner

POST /v1/resolve                  where do these groups go?
GET  /v1/tree                     the assignment, with loads and states
GET  /v1/events                   the same as server-sent events, at every change
GET  /v1/groups/:group/explain    where a group is, and why (the name as one encoded segment)
POST /v1/rebalance                {"mode":"local|global|hash-ring","dryRun":true}
POST /v1/commands                 {"id","verb":"drain|cordon|serve|forget","target","by","waitMs"}
GET  /v1/commands                 what waits, and the last outcomes
GET  /v1/config/:name             the configuration now; /history: its versions
PUT  /v1/config/:name             {"value","by","expect":VERSION}
POST /v1/config/:name/rollback    {"version","by"}
GET  /v1/entry-points             where the assigners answer
GET  /metrics /healthz /readyz
`

function eventsRoute({ observation, tree, ends }: RoutesOptions): Route['handle'] {
  let open = 0
  async function* events(signal: AbortSignal): AsyncGenerator<{ event: string; data: TreeAnswer }> {
    open += 1
    try {
      while (!signal.aborted) {
        yield { event: 'tree', data: tree.answer() }
        await observation.changed(treeEventIntervalMs, signal)
      }
    } catch (thrown) {
      if (!signal.aborted) throw thrown
    } finally {
      open -= 1
    }
  }
  return ({ signal }) => {
    if (open >= eventStreamsMax)
      return { status: 503, json: errorBody('too-many-streams', `${eventStreamsMax} streams are open: ask /v1/tree`) }
    return { events: events(AbortSignal.any([signal, ends])) }
  }
}
