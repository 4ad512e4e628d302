// Observe, plan, publish: what the leader does, whenever something may have changed. One pass at a time; whatever happens
// during a pass is followed by another. Nothing that forces: nothing is published.

import type { RebalanceAnswer, Redistribution } from '@catchment/protocol'
import { asError, Background, CatchmentError, type Clock, type Log, type Timer } from '@catchment/runtime'
import { sortedForBatches } from '../tree/decide/batches.ts'
import { journalMove, type AssignmentChange } from '../tree/decide/draft.ts'
import { isCredible, newestKnown, outlivedLists } from './decide/epochs.ts'
import { imbalanceOf, reconcile, type Allowed } from './decide/reconcile.ts'
import { listsOf, withoutReturn } from '../tree/decide/cluster-view.ts'
import { loadPollIntervalMs } from './collector-probe.ts'
import type { Lead, Leadership } from '../tree/leadership.ts'
import type { Observation } from '../tree/observation.ts'
import type { Publisher } from '../tree/publisher.ts'
import type { Snapshot, TreeCache } from '../tree/tree-cache.ts'

/** Groups that may wait to be created; what is asked for beyond them is asked for again later. */
export const wantedGroupsMax = 100_000
/** Groups in all. */
export const groupsMax = 1_000_000
const creationDelayMs = 100
/** No move that nothing forces before this leader has measured twice. */
const settleMs = 2 * loadPollIntervalMs
const retryDelayMs = 500

export interface ControlLoopOptions {
  readonly clock: Clock
  readonly log: Log
  readonly cache: TreeCache
  readonly observation: Observation
  readonly leadership: Leadership
  readonly publisher: Publisher
  readonly balanceIntervalMs: number
}

export class ControlLoop {
  readonly #options: ControlLoopOptions
  readonly #background: Background
  readonly #wanted = new Set<string>()
  /** The newest epoch that agents know and that the tree did not; 0 for none. */
  #reportedEpoch = 0
  #timer: Timer | undefined
  #timerAtMs = Infinity
  #lastBalanceMs = -Infinity
  /** Passes and demands, one after the other. */
  #chain: Promise<void> = Promise.resolve()
  #queued = false
  /** Publishes in a row that ended early: the second is not repeated at once. */
  #failures = 0
  /** What the last pass looked at and found nothing to do in: not looked at again until something differs. */
  #quiet: { revision: number; settled: boolean; untilAt: number } | undefined

  constructor(options: ControlLoopOptions) {
    this.#options = options
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.stack })
      this.wakeIn(retryDelayMs)
    })
  }

  get wanted(): number {
    return this.#wanted.size
  }

  isWanted(group: string): boolean {
    return this.#wanted.has(group)
  }

  /**
   * Groups to be created, in one publish with what else is asked for within 100 ms. False at a limit. A standby keeps them
   * too: should it become the leader, it knows what was asked for.
   */
  want(groups: readonly string[]): boolean {
    const { index } = this.#options.observation
    const room = Math.max(0, Math.min(wantedGroupsMax, groupsMax - index.size) - this.#wanted.size)
    const fresh = groups.filter((group) => !this.#wanted.has(group))
    for (const group of fresh.slice(0, room)) this.#wanted.add(group)
    if (groups.length > 0) this.wakeIn(creationDelayMs)
    return fresh.length <= room
  }

  /** What has been created is not wanted any more. */
  forgetKnown(): void {
    const { index } = this.#options.observation
    for (const group of this.#wanted) if (index.isKnown(group)) this.#wanted.delete(group)
  }

  /** A pass soon: now, or after the one under way. */
  wake(): void {
    if (this.#queued || this.#options.leadership.lead === undefined) return
    this.#queued = true
    this.#background.run('a pass of the control loop', (signal) =>
      this.exclusively(async () => {
        this.#queued = false
        if (!signal.aborted) await this.#pass()
      }),
    )
  }

  wakeIn(delayMs: number): void {
    const { clock } = this.#options
    const atMs = clock.monotonicMs() + Math.max(0, delayMs)
    if (atMs >= this.#timerAtMs) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = clock.after(Math.max(0, delayMs), () => {
      this.#timerAtMs = Infinity
      this.wake()
    })
  }

  /** An agent knows this epoch, and the tree, just synced, does not: it has lost data. Counts for a leader alone. */
  reported(epoch: number): void {
    if (this.#options.leadership.lead === undefined || !isCredible(epoch, this.#options.observation.epoch)) return
    this.#reportedEpoch = Math.max(this.#reportedEpoch, epoch)
    this.wake()
  }

  /** Forgets what was asked of a leader: another has it now. */
  deposed(): void {
    this.#reportedEpoch = 0
    this.#wanted.clear()
    this.#quiet = undefined
    this.#lastBalanceMs = -Infinity
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timerAtMs = -Infinity
    await this.#background.close()
  }

  /** An operator's plan: exempt from thresholds; ends a freeze unless it only asks. Throws `not-leading` (retryable). */
  async rebalance(mode: Redistribution, dryRun: boolean): Promise<RebalanceAnswer> {
    const { observation } = this.#options
    return await this.exclusively(async () => {
      const lead = this.#options.leadership.lead
      const snapshot = observation.snapshot
      if (lead === undefined || snapshot === undefined) throw notLeading()
      if (!dryRun) observation.thaw()
      const cluster = observation.cluster([])
      const decision = reconcile(cluster, { join: true, balance: true, demanded: mode }, this.#options.clock.now())
      const changes = sortedForBatches(decision.changes)
      const published = !dryRun && changes.length > 0 && (await this.#publishAll(lead, changes, `rebalance: ${mode}`))
      if (!dryRun && changes.length > 0 && !published)
        throw new CatchmentError('not-published', 'the tree changed while the plan was written: ask again', {
          blame: 'peer',
          retryable: true,
        })
      if (!dryRun) observation.look(true)
      return {
        epoch: observation.epoch,
        published,
        imbalanceBefore: imbalanceOf(cluster, listsOf(cluster)),
        imbalanceAfter: imbalanceOf(cluster, decision.lists),
        moves: changes.map(journalMove),
      }
    })
  }

  /**
   * Gives what the absent collector `id` owns or has borrowed to others, as if it were drained; `why` stands in the journal.
   * To be called within `exclusively`. What no collector can take stays.
   */
  async takeOver(lead: Lead, id: string, why: string): Promise<void> {
    const { clock, observation } = this.#options
    const cluster = withoutReturn(observation.cluster([]), id, why)
    const { changes, why: reasons } = reconcile(cluster, { join: false, balance: false }, clock.now())
    if (changes.length > 0) await this.#publishAll(lead, sortedForBatches(changes), reasons)
  }

  async #pass(): Promise<void> {
    const { clock, observation } = this.#options
    const lead = this.#options.leadership.lead
    const snapshot = observation.snapshot
    if (lead === undefined || snapshot === undefined) return
    observation.look()
    this.#scheduleNext()
    if (!this.#mayPlan(snapshot)) return
    if (await this.#restamp(lead, snapshot)) return
    const nowMs = clock.monotonicMs()
    const settled = nowMs - lead.sinceMs >= settleMs
    const balance = settled && nowMs - this.#lastBalanceMs >= this.#options.balanceIntervalMs
    const revision = observation.revision
    if (!balance && this.#isQuiet(revision, settled)) return
    this.#quiet = undefined
    const allowed: Allowed = { join: settled, balance }
    const decision = reconcile(observation.cluster([...this.#wanted]), allowed, clock.now())
    if (decision.balanced) this.#lastBalanceMs = nowMs
    if (decision.graceEndsAt !== undefined) this.wakeIn(decision.graceEndsAt - clock.now())
    if (decision.changes.length === 0) {
      this.#quiet = { revision, settled, untilAt: decision.graceEndsAt ?? Infinity }
      return
    }
    this.#planAgain(await this.#publishAll(lead, sortedForBatches(decision.changes), decision.why))
  }

  /** Lists that have been outlived come first: a collector that goes by one takes nothing older. True when there were any. */
  async #restamp(lead: Lead, snapshot: Snapshot): Promise<boolean> {
    const { cache, log, observation, publisher } = this.#options
    const ids = outlivedLists(observation.standpoint().collectors, this.#reportedEpoch)
    if (ids.length === 0) return false
    const known = this.#newestKnown()
    log.warn('the tree is older than what is known: it was made again from nothing; epochs go on from what is known', {
      known,
      read: snapshot.manifest.epoch,
      lists: ids.length,
    })
    const why = `the tree was made again from nothing: epochs go on after ${known}`
    const { outcome } = await publisher.restamp(lead, snapshot, { ids, why, newestKnown: known })
    if (outcome === 'deposed') this.#options.leadership.deposed(lead)
    else {
      await this.#readAgain(cache, outcome !== 'published')
      this.#planAgain(outcome === 'published')
      if (outcome === 'published') this.wake()
    }
    return true
  }

  #newestKnown(): number {
    const { epoch, collectors } = this.#options.observation.standpoint()
    return newestKnown(epoch, collectors.values(), this.#reportedEpoch)
  }

  /** What failed once is planned again at once: the tree was read again. What fails again would fail in a tight loop. */
  #planAgain(published: boolean): void {
    if (!published) this.wakeIn(this.#failures === 0 ? 0 : retryDelayMs)
    this.#failures = published ? 0 : this.#failures + 1
  }

  #mayPlan({ unreadable, outgrown }: Snapshot): boolean {
    const { log, observation } = this.#options
    if (outgrown !== undefined) return false
    if (unreadable.length === 0) return observation.frozen === undefined
    log.error('nothing is planned: a node of the tree cannot be understood; repair or delete it', {
      paths: unreadable.slice(0, 5),
    })
    return false
  }

  #isQuiet(revision: number, settled: boolean): boolean {
    if (this.#quiet === undefined || this.#wanted.size > 0) return false
    const { untilAt } = this.#quiet
    return this.#quiet.revision === revision && this.#quiet.settled === settled && this.#options.clock.now() < untilAt
  }

  /** False when it ended early: the tree has been read again since, and another pass must plan again. */
  async #publishAll(lead: Lead, changes: readonly AssignmentChange[], why: string): Promise<boolean> {
    const { cache, observation, publisher } = this.#options
    let rest = changes
    let expected: Snapshot | undefined = observation.snapshot
    while (rest.length > 0 && expected !== undefined) {
      if (lead.signal.aborted) return false
      const plan = { changes: rest, why, loads: observation.loads, newestKnown: this.#newestKnown() }
      const result = await publisher.publish(lead, expected, plan)
      if (result.outcome === 'deposed') {
        this.#options.leadership.deposed(lead)
        return false
      }
      const sync = result.outcome !== 'published'
      expected = await this.#readAgain(cache, sync)
      if (result.outcome !== 'published' || expected?.manifest.epoch !== result.epoch) return false
      rest = result.rest
    }
    return true
  }

  async #readAgain(cache: TreeCache, sync: boolean): Promise<Snapshot | undefined> {
    try {
      return await cache.refresh({ sync })
    } catch (thrown) {
      this.#options.log.warn('cannot read the tree after a publish', { reason: asError(thrown).message })
      this.wakeIn(retryDelayMs)
      return undefined
    }
  }

  #scheduleNext(): void {
    const { clock, observation } = this.#options
    const nowMs = clock.monotonicMs()
    const next = observation.nextChangeMs(nowMs)
    if (next !== undefined) this.wakeIn(next - nowMs)
  }

  /** Runs `work` while no pass and no other demand plans or publishes. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#chain.then(work)
    this.#chain = mine.then(
      () => undefined,
      () => undefined,
    )
    return await mine
  }
}

function notLeading(): CatchmentError {
  return new CatchmentError('not-leading', 'this assigner does not lead: ask the leader', {
    blame: 'peer',
    retryable: true,
  })
}
