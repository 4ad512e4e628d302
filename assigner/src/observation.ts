// What this assigner knows right now: the last whole snapshot, who lives, what was measured, and the index over it. Leader
// and standbys keep it alike, so that a new leader has already seen who was alive.

import { sleep, type Clock, type Log } from '@catchment/runtime'
import type { Leader, Load, Redistribution } from '@catchment/protocol'
import { frozenText, type Membership, type ReadStatus } from './decide/membership.ts'
import type { Standpoint } from './decide/resolution.ts'
import { ServingIndex } from './decide/serving.ts'
import type { CollectorView, Situation } from './decide/situation.ts'
import type { Snapshot } from './tree-cache.ts'

export interface ObservationOptions {
  readonly clock: Clock
  readonly log: Log
  readonly membership: Membership
  /** As configured now. */
  readonly redistribution: () => Redistribution
  readonly graceMs: number
}

export class Observation {
  readonly membership: Membership
  readonly index = new ServingIndex()
  /** Measured loads by group; only a leader measures. */
  readonly loads = new Map<string, Load>()
  readonly #options: ObservationOptions
  readonly #listeners = new Set<() => void>()
  #snapshot: Snapshot | undefined
  #views: ReadonlyMap<string, CollectorView> = new Map()
  #wasFrozen = false
  #revision = 0

  constructor(options: ObservationOptions) {
    this.#options = options
    this.membership = options.membership
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
    const { frozen } = this.membership
    return frozen === undefined ? undefined : frozenText(frozen)
  }

  take(snapshot: Snapshot): void {
    const before = this.#snapshot
    this.#snapshot = snapshot
    this.index.update(new Map([...snapshot.collectors].map(([id, { list }]) => [id, list])))
    const same = before?.manifest === snapshot.manifest
    const heard = before?.outcomes === snapshot.outcomes
    this.look(!same || !heard || before.leader !== snapshot.leader)
  }

  /** Decides anew who lives: time has passed, or a port was probed. */
  look(changed = false): void {
    const { snapshot } = this
    if (snapshot === undefined) return
    const statuses = new Map<string, ReadStatus>()
    const owners = new Set<string>()
    for (const [id, { status, list }] of snapshot.collectors) {
      if (status !== undefined) statuses.set(id, status)
      if (Object.keys(list.owned).length > 0) owners.add(id)
    }
    const awaited = this.membership.observe(statuses, owners, this.#options.clock.monotonicMs())
    const views = viewsOf(snapshot, this.membership.living, awaited)
    const differs = changed || !sameLife(this.#views, views)
    this.#views = views
    this.#tellFreeze()
    if (!differs) return
    this.#revision += 1
    for (const listener of [...this.#listeners]) listener()
  }

  situation(wanted: readonly string[]): Situation {
    return {
      collectors: this.#views,
      loads: this.loads,
      wanted,
      redistribution: this.#options.redistribution(),
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

  #tellFreeze(): void {
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
