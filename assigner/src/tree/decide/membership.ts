// Who lives, as the leader sees it. A status in the tree is necessary and not enough: a collector with a stuck disk keeps
// its session, and one whose process was killed keeps its status until the session expires. So a status also counts as
// gone when it is not rewritten for three report intervals (monotonic time), when it says `stopping`, and when the
// collector's port refuses connections, until a newer incarnation writes it or the port answers again. A killed process
// never answers again as the same incarnation: one that does is alive, on a network that refuses now and then. So that
// its groups do not move at every poll, each further refusal must be answered for twice as long before it counts.

import type { CollectorStatus } from '@catchment/protocol'

export interface CollectorMembershipOptions {
  readonly reportIntervalMs: number
  readonly sessionTimeoutMs: number
}

/** A status as read: `revision` changes whenever it is rewritten. */
export interface ReadStatus {
  readonly status: CollectorStatus
  readonly revision: string
}

export interface Frozen {
  readonly missing: ReadonlySet<string>
  readonly of: number
}

interface TrackedCollector {
  revision: string
  incarnation: string
  freshAtMs: number
  refusedIncarnation: string | undefined
  /** How often this incarnation went from answering to refusing, and when it refused last. */
  refusals: number
  refusedAtMs: number
}

/** A port that refuses again is distrusted for longer each time, up to this. */
const distrustMsMax = 10 * 60_000

/** A freeze needs this many at once: in a small cluster half of it is one or two machines, and their groups must move. */
export const freezeMissingMin = 3

export class CollectorMembership {
  readonly #options: CollectorMembershipOptions
  readonly #known = new Map<string, TrackedCollector>()
  readonly #seen = new Set<string>()
  #living: ReadonlySet<string> = new Set()
  #departures: { id: string; atMs: number }[] = []
  #frozen: Frozen | undefined
  #thawedFor: ReadonlySet<string> = new Set()
  #startedAtMs = 0

  constructor(options: CollectorMembershipOptions) {
    this.#options = options
  }

  get living(): ReadonlySet<string> {
    return this.#living
  }

  get frozen(): Frozen | undefined {
    return this.#frozen
  }

  /**
   * Takes in what the tree says now, and decides who lives. `owners` are the collectors whose lists hold groups. Returns
   * the ids about which nothing can be said yet: absent, owning, and never seen alive since `resume`.
   */
  observe(statuses: ReadonlyMap<string, ReadStatus>, owners: ReadonlySet<string>, nowMs: number): ReadonlySet<string> {
    for (const id of [...this.#known.keys()]) if (!statuses.has(id)) this.#known.delete(id)
    for (const [id, read] of statuses) this.#read(id, read, nowMs)
    const living = new Set<string>()
    for (const [id, { status }] of statuses) if (status.state === 'serving' && this.#counts(id, nowMs)) living.add(id)
    const settling = nowMs - this.#startedAtMs < this.#options.sessionTimeoutMs
    const waited = new Set([...owners].filter((id) => settling && !statuses.has(id) && !this.#seen.has(id)))
    const unseen = settling ? [] : [...owners].filter((id) => !living.has(id) && !this.#seen.has(id))
    this.#countDepartures(living, unseen, nowMs)
    this.#endFreezeOver(owners)
    for (const id of [...living, ...unseen]) this.#seen.add(id)
    this.#living = living
    return waited
  }

  /** After a time without ZooKeeper: no collector is late because the watcher was away. */
  resume(nowMs: number): void {
    this.#startedAtMs = nowMs
    for (const known of this.#known.values()) known.freshAtMs = nowMs
  }

  /** The collector's port refused a connection. True when that is news. */
  refused(id: string, nowMs: number): boolean {
    const known = this.#known.get(id)
    if (known === undefined) return false
    known.refusedAtMs = nowMs
    if (known.refusedIncarnation !== undefined) return false
    known.refusedIncarnation = known.incarnation
    known.refusals += 1
    return true
  }

  /** The collector's port answered. True when it counts as living for it. */
  answered(id: string, nowMs: number): boolean {
    const known = this.#known.get(id)
    if (known?.refusedIncarnation === undefined) return false
    const distrustMs = known.refusals < 2 ? 0 : this.#staleAfterMs * 2 ** Math.min(known.refusals - 2, 20)
    if (nowMs - known.refusedAtMs < Math.min(distrustMs, distrustMsMax)) return false
    known.refusedIncarnation = undefined
    return true
  }

  /** An operator says go: those who are missing now are gone. */
  thaw(): void {
    this.#thawedFor = this.#frozen?.missing ?? new Set()
    this.#frozen = undefined
    this.#departures = []
  }

  /** When something changes by time alone: the next status to go stale, or the end of the settling. */
  nextChangeMs(nowMs: number): number | undefined {
    const settled = this.#startedAtMs + this.#options.sessionTimeoutMs
    const times = [...this.#living].map((id) => (this.#known.get(id)?.freshAtMs ?? nowMs) + this.#staleAfterMs)
    return [...times, settled].filter((time) => time > nowMs).sort((a, b) => a - b)[0]
  }

  get #staleAfterMs(): number {
    return 3 * this.#options.reportIntervalMs
  }

  #read(id: string, { status, revision }: ReadStatus, nowMs: number): void {
    const known = this.#known.get(id)
    if (known === undefined) {
      this.#known.set(id, {
        revision,
        incarnation: status.incarnation,
        freshAtMs: nowMs,
        refusedIncarnation: undefined,
        refusals: 0,
        refusedAtMs: -Infinity,
      })
      return
    }
    if (known.revision !== revision) known.freshAtMs = nowMs
    known.revision = revision
    if (known.incarnation === status.incarnation) return
    known.incarnation = status.incarnation
    known.refusedIncarnation = undefined
    known.refusals = 0
  }

  #counts(id: string, nowMs: number): boolean {
    const known = this.#known.get(id)
    if (known === undefined || known.refusedIncarnation !== undefined) return false
    return nowMs - known.freshAtMs < this.#staleAfterMs
  }

  #countDepartures(living: ReadonlySet<string>, unseen: readonly string[], nowMs: number): void {
    const window = nowMs - this.#options.sessionTimeoutMs
    const left = [...this.#living].filter((id) => !living.has(id))
    this.#thawedFor = new Set([...this.#thawedFor].filter((id) => !living.has(id)))
    this.#departures = [
      ...this.#departures.filter(({ id, atMs }) => atMs >= window && !living.has(id)),
      ...[...left, ...unseen].filter((id) => !this.#thawedFor.has(id)).map((id) => ({ id, atMs: nowMs })),
    ]
    const missing = new Set([...(this.#frozen?.missing ?? [])].filter((id) => !living.has(id)))
    for (const { id } of this.#departures) missing.add(id)
    const of = Math.max(this.#frozen?.of ?? 0, living.size + missing.size)
    this.#frozen = missing.size >= freezeMissingMin && missing.size * 2 > of ? { missing, of } : undefined
  }

  /** A freeze keeps groups where they are. When the missing own none, another assigner has thawed: there is nothing to keep. */
  #endFreezeOver(owners: ReadonlySet<string>): void {
    if (this.#frozen !== undefined && ![...this.#frozen.missing].some((id) => owners.has(id))) this.thaw()
  }
}

/** For people: why nothing moves. */
export function frozenText(frozen: Frozen): string {
  const names = [...frozen.missing].sort().slice(0, 5).join(', ')
  return `${frozen.missing.size} of ${frozen.of} collectors vanished at once (${names}${frozen.missing.size > 5 ? ', …' : ''}): nothing moves until enough return, or an operator rebalances`
}
