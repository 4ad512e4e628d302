// What only the leader can do, asked of any assigner: done here by the leader, handed on by a standby, once.

import type { RebalanceAnswer, RebalanceRequest, ResolveRequest, Leader } from '@catchment/protocol'
import { asError, type Log } from '@catchment/runtime'
import { groupsMax, wantedGroupsMax, type ControlLoop } from '../control/control-loop.ts'
import type { LoadPoller } from '../control/load-poller.ts'
import type { Leadership } from '../tree/leadership.ts'
import type { Observation } from '../tree/observation.ts'
import { noLeader, type LeaderLink } from './leader-link.ts'

export interface LeaderRequestsOptions {
  readonly id: string
  readonly leadership: Leadership
  readonly observation: Observation
  readonly loop: ControlLoop
  readonly poller: LoadPoller
  readonly link: LeaderLink
  /** Aborts when the program ends. */
  readonly ends: AbortSignal
  readonly log: Log
}

/** What a resolve found that the leader is to see to. */
export interface ResolveDemand {
  readonly request: ResolveRequest
  readonly unknown: readonly string[]
  readonly refusedBy: readonly string[]
  /** Came from another assigner: not to be forwarded again. */
  readonly forwarded: boolean
}

export class LeaderRequests {
  readonly #options: LeaderRequestsOptions

  constructor(options: LeaderRequestsOptions) {
    this.#options = options
  }

  /** Whether the group waits to be created since an earlier request: it counts once. */
  isWanted(group: string): boolean {
    return this.#options.loop.isWanted(group)
  }

  /** Leader: creates, and probes the collectors that refused. Standby: asks the leader to. */
  async demand({ request, unknown, refusedBy, forwarded }: ResolveDemand): Promise<void> {
    const { ends, leadership, log, loop, poller } = this.#options
    if (!loop.want(unknown)) log.warn('new groups are not created: a limit is reached', { groupsMax, wantedGroupsMax })
    if (leadership.lead !== undefined) {
      await Promise.all(refusedBy.map((id) => poller.probe(id, ends)))
      if (refusedBy.length > 0) loop.wake()
      return
    }
    const asked = new Set(unknown)
    const refusing = new Set(refusedBy)
    const groups = request.groups
      .filter(({ group, refusedBy: by }) => asked.has(group) || (by !== undefined && refusing.has(by)))
      .map(({ group, refusedBy: by }) => ({ group, ...(by !== undefined && { refusedBy: by }) }))
    await this.#reportToLeader(groups, forwarded)
  }

  /** The agent knows a newer epoch than the tree after a sync. Leader: epochs go on after it. Standby: reports it. */
  async outlived({ groups }: ResolveRequest, forwarded: boolean): Promise<void> {
    const { leadership, loop, observation } = this.#options
    const newer = groups.filter((asked) => (asked.epoch ?? 0) > observation.epoch)
    if (leadership.lead !== undefined) for (const asked of newer) loop.reported(asked.epoch ?? 0)
    else await this.#reportToLeader(newer, forwarded)
  }

  async rebalance(request: RebalanceRequest, forwarded: boolean): Promise<RebalanceAnswer> {
    const { leadership, link, loop } = this.#options
    if (leadership.lead !== undefined) return await loop.rebalance(request.mode, request.dryRun)
    const leader = this.#leader(forwarded)
    if (leader === undefined) throw noLeader()
    return await link.rebalance(leader, request)
  }

  async #reportToLeader(groups: ResolveRequest['groups'], forwarded: boolean): Promise<void> {
    const { link, log } = this.#options
    const leader = this.#leader(forwarded)
    if (leader === undefined) return
    try {
      await link.report(leader, groups)
    } catch (thrown) {
      log.debug('the leader cannot be asked', { leader: leader.id, reason: asError(thrown).message })
    }
  }

  /** The other assigner to hand it on to, if there is one. */
  #leader(forwarded: boolean): Leader | undefined {
    const { id, observation } = this.#options
    const { leader } = observation
    return forwarded || leader?.id === id ? undefined : leader
  }
}
