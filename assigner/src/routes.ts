// The assigner's HTTP surface: what is asked, checked; what is answered, shaped.

import {
  groupNameSchema,
  rebalanceRequestSchema,
  type ExplainAnswer,
  type RebalanceAnswer,
  type RebalanceRequest,
  type TreeAnswer,
} from '@catchment/protocol'
import { errorBody, type Metrics, type Route, type RouteAnswer, type RouteRequest } from '@catchment/runtime'
import { parseBody } from './requests.ts'

/** Streams of events open at once; the next get 503. */
export const eventStreamsMax = 1_000
const treeEventIntervalMs = 2_000

export interface RoutesOptions {
  readonly metrics: Metrics
  readonly resolve: (request: RouteRequest) => Promise<RouteAnswer>
  readonly tree: () => TreeAnswer
  readonly explain: (group: string) => Promise<ExplainAnswer>
  readonly rebalance: (request: RebalanceRequest, forwarded: boolean) => Promise<RebalanceAnswer>
  /** Resolves at the next change, or after `waitMs`. */
  readonly changed: (waitMs: number, signal: AbortSignal) => Promise<void>
  /** Why this assigner is not ready; undefined when it is. */
  readonly notReady: () => string | undefined
  /** Aborts when the program ends. */
  readonly signal: AbortSignal
}

export function assignerRoutes(options: RoutesOptions): Route[] {
  return [
    { method: 'POST', path: '/v1/resolve', handle: options.resolve },
    { method: 'GET', path: '/v1/tree', handle: () => ({ json: options.tree() }) },
    { method: 'GET', path: '/v1/events', handle: eventsRoute(options) },
    {
      method: 'GET',
      path: '/v1/groups/:group/explain',
      handle: async ({ params }) => {
        const group = parseBody(groupNameSchema, params['group'], 'the group in the path')
        return { json: await options.explain(group) }
      },
    },
    {
      method: 'POST',
      path: '/v1/rebalance',
      handle: async ({ body, query }) => {
        const request = parseBody(rebalanceRequestSchema, body, 'the body of POST /v1/rebalance')
        return { json: await options.rebalance(request, query['forwarded'] === '1') }
      },
    },
    ...healthRoutes(options),
  ]
}

function healthRoutes({ metrics, notReady }: RoutesOptions): Route[] {
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
        const reason = notReady()
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

function eventsRoute(options: RoutesOptions): Route['handle'] {
  let open = 0
  async function* events(signal: AbortSignal): AsyncGenerator<{ event: string; data: TreeAnswer }> {
    open += 1
    try {
      while (!signal.aborted) {
        yield { event: 'tree', data: options.tree() }
        await options.changed(treeEventIntervalMs, signal)
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
    return { events: events(AbortSignal.any([signal, options.signal])) }
  }
}
