// What this assigner knows right now: the last whole snapshot, who lives, what was measured, the policy, and the index over
// it. Leader and standbys keep it alike, so that a new leader has already seen who was alive.

import { sleep, type Clock, type Log } from '@catchment/runtime'
import type { Leader, Load, Policy, Redistribution } from '@catchment/protocol'
import { CollectorMembership, frozenText, type ReadStatus } from './decide/membership.ts'
import type { GroupLoads } from './decide/group-loads.ts'
import { ServingIndex, type Standpoint } from './decide/serving.ts'
import { isEmpty, listsOf, type ClusterView, type CollectorView } from './decide/cluster-view.ts'
import type { Snapshot } from './tree-cache.ts'

export interface ObservationOptions {
  readonly clock: Clock
  readonly log: Log
  readonly reportIntervalMs: number
  readonly sessionTimeoutMs: number
  /** Until another is configured. */
  readonly redistribution: Redistribution
  readonly graceMs: number
  readonly loads: GroupLoads
}

export class Observation {
  readonly index = new ServingIndex()
  readonly #membership: CollectorMembership
  readonly #options: ObservationOptions
  readonly #listeners = new Set<() => void>()
  #snapshot: Snapshot | undefined
  #views: ReadonlyMap<string, CollectorView> = new Map()
  #redistribution: Redistribution
  #wasFrozen = false
  #revision = 0

  constructor(options: ObservationOptions) {
    this.#options = options
    this.#redistribution = options.redistribution
    this.#membership = new CollectorMembership(options)
    this.#membership.resume(options.clock.monotonicMs())
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot
  }

  /** Grows when the assignment, or who lives, has changed. */
  get revision(): number {
    return this.#revision
  }

  get epoch(): number {
    return this.#snapshot?.manifest.epoch ?? 0
  }

  get leader(): Leader | undefined {
    return this.#snapshot?.leader
  }

  get frozen(): string | undefined {
    const { frozen } = this.#membership
    return frozen === undefined ? undefined : frozenText(frozen)
  }

  /** Measured loads by group; only a leader measures. */
  get loads(): ReadonlyMap<string, Load> {
    return this.#options.loads.byGroup
  }

  get living(): ReadonlySet<string> {
    return this.#membership.living
  }

  /** True when it changes the assignment, or who lives. */
  take(snapshot: Snapshot): boolean {
    const before = this.#snapshot
    this.#snapshot = snapshot
    this.index.update(listsOf(snapshot))
    const same = before?.manifest === snapshot.manifest
    const sameOutcomes = before?.outcomes === snapshot.outcomes
    const { revision } = this
    this.look(!same || !sameOutcomes || before.leader !== snapshot.leader)
    return this.#revision !== revision
  }

  /** The policy has changed, or what is known of it; without one the former stands. */
  configure(policy: Policy | undefined): void {
    if (policy !== undefined) this.#redistribution = policy.redistribution
    this.look(true)
  }

  /** ZooKeeper was away, and is there again. */
  resume(nowMs: number): void {
    this.#membership.resume(nowMs)
  }

  /** An operator ends a freeze: those who are missing now are gone. */
  thaw(): void {
    this.#membership.thaw()
  }

  /** Whether the collector's port answered a connection or refused it. */
  takeProbe(id: string, outcome: 'answered' | 'refused'): void {
    const nowMs = this.#options.clock.monotonicMs()
    const news = outcome === 'refused' ? this.#membership.refused(id, nowMs) : this.#membership.answered(id, nowMs)
    if (news) this.look()
  }

  /** When something changes by time alone. */
  nextChangeMs(nowMs: number): number | undefined {
    return this.#membership.nextChangeMs(nowMs)
  }

  /** Decides again who lives: time has passed, or a port was probed. */
  look(changed = false): void {
    const { snapshot } = this
    if (snapshot === undefined) return
    const statuses = new Map<string, ReadStatus>()
    const owners = new Set<string>()
    for (const [id, { status, list }] of snapshot.collectors) {
      if (status !== undefined) statuses.set(id, status)
      if (!isEmpty(list.owned)) owners.add(id)
    }
    const awaited = this.#membership.observe(statuses, owners, this.#options.clock.monotonicMs())
    const views = viewsOf(snapshot, this.#membership.living, awaited)
    const differs = changed || !sameLife(this.#views, views)
    this.#views = views
    this.#logFreeze()
    if (!differs) return
    this.#revision += 1
    for (const listener of [...this.#listeners]) listener()
  }

  cluster(wanted: readonly string[]): ClusterView {
    return {
      collectors: this.#views,
      loads: this.loads,
      wanted,
      redistribution: this.#redistribution,
      graceMs: this.#options.graceMs,
    }
  }

  standpoint(): Standpoint {
    return { epoch: this.epoch, index: this.index, collectors: this.#views, frozen: this.frozen }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves at the next change, or after `waitMs`; rejects when the signal aborts. */
  async changed(waitMs: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController()
    const unsubscribe = this.onChange(() => {
      done.abort(new Error('changed'))
    })
    try {
      await sleep(this.#options.clock, waitMs, AbortSignal.any([done.signal, signal]))
    } catch (thrown) {
      if (!done.signal.aborted) throw thrown
    } finally {
      unsubscribe()
    }
  }

  #logFreeze(): void {
    const { frozen } = this
    if ((frozen !== undefined) === this.#wasFrozen) return
    this.#wasFrozen = frozen !== undefined
    this.#revision += 1
    if (frozen === undefined) this.#options.log.info('thawed')
    else this.#options.log.error('frozen', { why: frozen })
  }
}

function sameLife(one: ReadonlyMap<string, CollectorView>, other: ReadonlyMap<string, CollectorView>): boolean {
  return one.size === other.size && [...other].every(([id, view]) => sameView(one.get(id), view))
}

function sameView(one: CollectorView | undefined, other: CollectorView): boolean {
  if (one?.living !== other.living || one.awaited !== other.awaited) return false
  if (one.admin !== other.admin || one.list !== other.list) return false
  return one.status?.url === other.status?.url && one.status?.state === other.status?.state
}

function viewsOf(
  { collectors }: Snapshot,
  living: ReadonlySet<string>,
  awaited: ReadonlySet<string>,
): Map<string, CollectorView> {
  const views = new Map<string, CollectorView>()
  for (const [id, { list, status, admin }] of collectors)
    views.set(id, {
      ...{ id, list, status: status?.status },
      ...{ living: living.has(id), awaited: awaited.has(id) },
      ...{ admin: admin?.want ?? 'serve', adminWhy: admin?.why },
    })
  return views
}
