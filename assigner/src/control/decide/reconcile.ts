// The heart of the assigner: what must change, given what is. Pure and idempotent: on its own result it finds nothing.
//
// In this order, each step on the result of the one before:
//   1. loans end whose owner is back                      (nothing has moved for good)
//   2. groups without a living server find one            (lent where the owner is only away, moved where it drains)
//   3. loans whose grace is over become ownership         (nothing moves a second time)
//   4. joiners are filled, and heat is shed, where policy and time allow
// Only 4 moves what nothing forces, so a death moves only the dead one's groups.

import { defaultOptions, plan, type Move, type PlanOptions } from '@catchment/placement'
import type { CollectorList, Redistribution } from '@catchment/protocol'
import { Draft, type AssignmentChange } from '../../tree/decide/draft.ts'
import {
  entryOf,
  hasGroups,
  isEmpty,
  listsOf,
  type CollectorView,
  type Lists,
  type ClusterView,
} from '../../tree/decide/cluster-view.ts'
import { livingCollectors, plannedCollector, plannedGroups, pressuresOf } from './standing.ts'

/** Set by who calls, because they depend on what has happened, not on what is. */
export interface Allowed {
  /** Joiners may be filled: this leader has led long enough to have measured. */
  readonly join: boolean
  /** A round of balancing is due. */
  readonly balance: boolean
  /** An operator asks for a plan now: exempt from thresholds, intervals and budgets. */
  readonly demanded?: Redistribution
}

export interface AssignmentPlan {
  readonly changes: readonly AssignmentChange[]
  /** The lists as they will be. */
  readonly lists: Lists
  readonly why: string
  /** Whether a round of balancing was among it. */
  readonly balanced: boolean
  /** The nearest wall time at which a grace ends. */
  readonly graceEndsAt: number | undefined
}

/** A round of balancing moves at most this share of all load, or ten groups' worth where groups are few. */
const balanceShareMax = 0.01
const balanceGroupsMin = 10
const reasonsShownMax = 10

class Reconciliation {
  readonly cluster: ClusterView
  readonly #now: number
  readonly #draft: Draft
  readonly #changes: AssignmentChange[] = []
  readonly #reasons = new Set<string>()

  constructor(cluster: ClusterView, now: number) {
    this.cluster = cluster
    this.#now = now
    this.#draft = new Draft(listsOf(cluster), { epoch: 0, at: now }, () => undefined)
  }

  get changes(): readonly AssignmentChange[] {
    return this.#changes
  }

  get lists(): Lists {
    return this.#draft.lists
  }

  get why(): string {
    const reasons = [...this.#reasons]
    const more = reasons.length > reasonsShownMax ? `; and ${reasons.length - reasonsShownMax} reasons more` : ''
    return reasons.slice(0, reasonsShownMax).join('; ') + more
  }

  collector(id: string): CollectorView | undefined {
    return this.cluster.collectors.get(id)
  }

  change(change: AssignmentChange): void {
    this.#draft.apply(change)
    this.#changes.push(change)
    this.#reasons.add(change.why)
  }

  endLoans(): void {
    for (const [owner, list] of this.lists) {
      const view = this.collector(owner)
      if (view?.living !== true || view.admin === 'drain') continue
      for (const [group, { to }] of Object.entries(list.lent))
        this.change({ do: 'return', group, owner, from: to, why: `${owner} is back within the grace` })
    }
  }

  /** Places what no living collector serves, what drains, and what is new. */
  placeForced(): void {
    const { wanted } = this.cluster
    const known = new Set<string>()
    let forced = false
    const groups = plannedGroups(this.cluster, this.lists).filter(({ name, server }) => {
      known.add(name)
      const view = server === undefined ? undefined : this.collector(server)
      if (view?.awaited === true) return false
      if (view?.living !== true || view.admin === 'drain') forced = true
      return true
    })
    for (const name of wanted) {
      if (known.has(name)) continue
      known.add(name)
      forced = true
      groups.push({ name, load: undefined, server: undefined })
    }
    if (!forced) return
    const collectors = livingCollectors(this.cluster).map((view) => plannedCollector(view, false))
    const { moves } = plan(this.cluster.redistribution, { collectors, groups }, { ...defaultOptions, balance: false })
    this.carryOut(moves)
  }

  /** Loans become ownership when the grace is over, or when the owner drains and so has no grace. */
  keepLoans(): number {
    const before = this.#changes.length
    for (const [owner, list] of this.lists) this.#keepLoansOf(owner, list)
    for (const [id, list] of this.lists) {
      for (const [group, { from }] of Object.entries(list.borrowed))
        if (!this.lists.has(from))
          this.change({ do: 'keep', group, owner: from, to: id, why: `${from} is forgotten: it has no list` })
    }
    return this.#changes.length - before
  }

  #keepLoansOf(owner: string, list: CollectorList): void {
    const view = this.collector(owner)
    const drained = view?.admin === 'drain'
    if (view?.living === true && !drained) return
    const why = drained ? this.#drained(owner) : `${owner} was gone for longer than the grace`
    for (const [group, { to, at }] of Object.entries(list.lent)) {
      if (!drained && this.#now < at + this.cluster.graceMs) continue
      if (this.#isServedFor(owner, group, to)) this.change({ do: 'keep', group, owner, to, why })
    }
  }

  #isServedFor(owner: string, group: string, borrower: string): boolean {
    const borrowed = entryOf(this.lists.get(borrower)?.borrowed ?? {}, group)
    return borrowed?.from === owner && this.collector(borrower)?.living === true
  }

  /** Moves nothing forces. True when the round was one of balancing. */
  rebalance(allowed: Allowed, kept: number): boolean {
    const living = livingCollectors(this.cluster)
    const joiners = new Set(living.filter((view) => this.#isJoiner(view)).map(({ id }) => id))
    const { demanded } = allowed
    const joins = allowed.join && (joiners.size > 0 || this.#plansAll(kept))
    const balances = allowed.balance && !this.#hasLoans()
    if (demanded === undefined && !joins && !balances) return false
    const strategy = demanded ?? (joins ? this.cluster.redistribution : this.#balancing)
    const all = plannedGroups(this.cluster, this.lists)
    const groups = all.filter(({ server }) => server !== undefined && this.collector(server)?.living === true)
    const collectors = living.map((view) => plannedCollector(view, joiners.has(view.id)))
    const options = optionsFor(demanded !== undefined, balances, groups.length)
    this.carryOut(plan(strategy, { collectors, groups }, options).moves)
    return balances
  }

  carryOut(moves: readonly Move[]): void {
    for (const move of moves) {
      const change = this.#changeFor(move)
      if (change !== undefined) this.change(change)
    }
  }

  graceEndsAt(): number | undefined {
    let nearest: number | undefined
    for (const [owner, list] of this.lists) {
      if (this.collector(owner)?.living === true) continue
      for (const { at } of Object.values(list.lent)) {
        const ends = at + this.cluster.graceMs
        if (ends > this.#now && (nearest === undefined || ends < nearest)) nearest = ends
      }
    }
    return nearest
  }

  /**
   * Whether all groups are planned though no collector has just come. On a ring the places of groups change with more than
   * that: the return of a collector whose groups were lent, a capacity, a cordon that ends; where nothing has changed the ring moves nothing.
   */
  #plansAll(kept: number): boolean {
    switch (this.cluster.redistribution) {
      case 'local':
        return false
      case 'global':
        return kept > 0
      case 'hash-ring':
        return true
    }
  }

  /** A round of balancing moves a little; on a ring it moves nothing, because loads do not count there. */
  get #balancing(): Redistribution {
    return this.cluster.redistribution === 'hash-ring' ? 'hash-ring' : 'local'
  }

  /** It lives, may receive, and has nothing at all: it has just come. */
  #isJoiner({ id, admin }: CollectorView): boolean {
    const list = this.lists.get(id)
    return admin === 'serve' && list !== undefined && !hasGroups(list)
  }

  #hasLoans(): boolean {
    return [...this.lists.values()].some(({ lent }) => !isEmpty(lent))
  }

  /** A group of a collector that is only away is lent; any other changes its owner. */
  #changeFor({ group, from, to, why }: Move): AssignmentChange | undefined {
    if (from === undefined) return { do: 'create', group, to, why: 'new groups' }
    const borrowed = entryOf(this.lists.get(from)?.borrowed ?? {}, group)
    const owner = this.collector(borrowed?.from ?? from)
    const text = this.#reason(from, to, why)
    if (owner !== undefined && !owner.living && owner.admin !== 'drain')
      return borrowed === undefined
        ? { do: 'lend', group, owner: owner.id, to, why: text }
        : { do: 'lend', group, owner: owner.id, to, previous: from, why: text }
    return borrowed === undefined
      ? { do: 'move', group, from, to, why: text }
      : { do: 'move', group, from: borrowed.from, to, borrower: from, why: text }
  }

  #drained(id: string): string {
    return this.collector(id)?.adminWhy ?? `${id} is drained`
  }

  #reason(from: string, to: string, why: Move['why']): string {
    switch (why) {
      case 'orphan':
        return `${from} is gone`
      case 'drain':
        return this.#drained(from)
      case 'join':
        return `${to} gets its share`
      case 'balance':
        return `${from} carries more than its share`
      case 'global':
        return 'planned again over all collectors'
      case 'ring':
        return `the hash ring gives it to ${to}`
      case 'new':
        return 'new groups'
    }
  }
}

/**
 * What must change at `now` (wall time, milliseconds). The same view gives the same plan; a plan carried out
 * leaves nothing to decide.
 */
export function reconcile(cluster: ClusterView, allowed: Allowed, now: number): AssignmentPlan {
  const work = new Reconciliation(cluster, now)
  work.endLoans()
  work.placeForced()
  const kept = work.keepLoans()
  const balanced = work.rebalance(allowed, kept)
  return {
    changes: work.changes,
    lists: work.lists,
    why: work.why,
    balanced,
    graceEndsAt: work.graceEndsAt(),
  }
}

/** How uneven the living are when `lists` stand: the greatest pressure; 1 is even, 0 means no groups. */
export function imbalanceOf(cluster: ClusterView, lists: Lists): number {
  return Math.max(0, ...pressuresOf(cluster, lists).values())
}

function optionsFor(demanded: boolean, balances: boolean, groups: number): PlanOptions {
  if (demanded) return { ...defaultOptions, shedStart: defaultOptions.shedStop, joinStart: defaultOptions.joinStop }
  // While loans run, what looks uneven is the death: only who has just come is filled.
  if (!balances) return { ...defaultOptions, shedStart: Infinity, joinStart: 0 }
  return { ...defaultOptions, movedShareMax: Math.max(balanceShareMax, balanceGroupsMin / Math.max(1, groups)) }
}
