// POST /v1/resolve: agents ask where their groups go, and wait here while no collector serves them.

import { resolveRequestSchema, type ResolveAnswer, type ResolveRequest } from '@catchment/protocol'
import {
  asError,
  errorBody,
  type Clock,
  type Log,
  type Random,
  type RouteAnswer,
  type RouteRequest,
} from '@catchment/runtime'
import { newestEpoch, resolve, type Resolution } from './decide/resolution.ts'
import type { Observation } from '../tree/observation.ts'
import type { SessionWatch } from '../tree/session-watch.ts'
import type { TreeCache } from '../tree/tree-cache.ts'
import type { LeaderRequests } from './leader-requests.ts'
import { parseBody } from './request-body.ts'

/** Agents that may wait on one assigner; the next are asked to come again later. */
export const waitersMax = 10_000
/** New groups that one agent may ask for within an hour. */
export const newGroupsPerSourceMax = 10_000
const sourcesCountedMax = 100_000
const sourceWindowMs = 3_600_000
const retryAfterMs = 2_000

export interface GroupResolverOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly observation: Observation
  readonly cache: TreeCache
  readonly sessionWatch: SessionWatch
  readonly requests: LeaderRequests
}

export class GroupResolver {
  readonly #options: GroupResolverOptions
  #waiting = 0
  #sources = new Map<string, number>()
  #sourcesSinceMs = 0

  constructor(options: GroupResolverOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting
  }

  async handle(route: RouteRequest): Promise<RouteAnswer> {
    const request = parseBody(resolveRequestSchema, route.body, 'the body of POST /v1/resolve')
    const asked = newestEpoch(request)
    const first = this.#resolve(request)
    let caughtUp = false
    if (asked > this.#options.observation.epoch || first.unchanged.length > 0) caughtUp = await this.#catchUp()
    if (asked > this.#options.observation.epoch) {
      if (caughtUp) await this.#options.requests.outlived(request, isForwarded(route))
      return this.#later('stale', `epoch ${asked} has not come here yet`)
    }
    let resolution = this.#resolve(request)
    if (isSettled(resolution)) return { json: this.#answer(resolution) }
    if (!this.#mayCreate(request, resolution))
      return this.#later(
        'too-many-groups',
        `one source may ask for ${newGroupsPerSourceMax} new groups an hour: name groups by what is few`,
      )
    await this.#demand(request, resolution, route)
    resolution = this.#resolve(request)
    if (request.waitMs === 0 || isSettled(resolution)) return { json: this.#answer(resolution) }
    if (this.#waiting >= waitersMax)
      return this.#later('too-many-waiters', `${waitersMax} agents wait here already: ask again later`)
    this.#waiting += 1
    try {
      return { json: this.#answer(await this.#wait(request, route)) }
    } finally {
      this.#waiting -= 1
    }
  }

  async #wait(request: ResolveRequest, route: RouteRequest): Promise<Resolution> {
    const { clock, observation } = this.#options
    const untilMs = clock.monotonicMs() + request.waitMs
    for (;;) {
      const resolution = this.#resolve(request)
      const leftMs = untilMs - clock.monotonicMs()
      if (isSettled(resolution) || leftMs <= 0) return resolution
      try {
        await observation.changed(Math.min(leftMs, demandAgainMs), route.signal)
      } catch (thrown) {
        if (route.signal.aborted) return resolution // no one reads it any more
        throw thrown
      }
      const again = this.#resolve(request)
      if (!isSettled(again)) await this.#demand(request, again, route)
    }
  }

  #resolve(request: ResolveRequest): Resolution {
    return resolve(request, this.#options.observation.standpoint())
  }

  /** Without ZooKeeper the last that is known is answered, as long as it is not older than what was asked for. */
  async #catchUp(): Promise<boolean> {
    try {
      await this.#options.cache.catchUp()
      return true
    } catch (thrown) {
      this.#options.log.debug('cannot read the tree for a resolve', { reason: asError(thrown).message })
      return false
    }
  }

  async #demand(request: ResolveRequest, resolution: Resolution, route: RouteRequest): Promise<void> {
    const { unknown } = resolution
    const unchanged = new Set(resolution.unchanged)
    if (unknown.length === 0 && unchanged.size === 0) return
    const refusing = request.groups.flatMap(({ group, refusedBy }) =>
      refusedBy !== undefined && unchanged.has(group) ? [refusedBy] : [],
    )
    await this.#options.requests.demand({
      request,
      unknown,
      refusedBy: [...new Set(refusing)],
      forwarded: isForwarded(route),
    })
  }

  #mayCreate({ agent }: ResolveRequest, { unknown }: Resolution): boolean {
    if (agent === undefined || unknown.length === 0) return true
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#sourcesSinceMs > sourceWindowMs || this.#sources.size >= sourcesCountedMax) {
      this.#sources = new Map()
      this.#sourcesSinceMs = nowMs
    }
    const fresh = unknown.filter((group) => !this.#options.requests.isWanted(group))
    const count = (this.#sources.get(agent.id) ?? 0) + fresh.length
    if (count > newGroupsPerSourceMax) return false
    this.#sources.set(agent.id, count)
    return true
  }

  #answer({ assigned, pending }: Resolution): ResolveAnswer {
    return { epoch: this.#options.observation.epoch, ageMs: this.#options.sessionWatch.ageMs, assigned, pending }
  }

  #later(code: string, message: string): RouteAnswer {
    const afterMs = Math.round(retryAfterMs * (0.5 + this.#options.random.float()))
    return {
      status: 503,
      headers: { 'retry-after': String(Math.ceil(afterMs / 1000)) },
      json: errorBody(code, message, afterMs),
    }
  }
}

/** What was asked of a leader is asked again: it may have died with it. */
const demandAgainMs = 1_000

function isForwarded({ query }: RouteRequest): boolean {
  return query['forwarded'] === '1'
}

function isSettled({ pending, unchanged }: Resolution): boolean {
  return pending.length === 0 && unchanged.length === 0
}
