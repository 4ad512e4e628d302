// Housekeeping: at every slot one of the assigners sweeps the tree. A sweep decides and enqueues; what it finds is done by the
// leader, as commands. What it enqueues and what it remembers is committed with the mark that the slot is done: a sweep that
// dies has done nothing, one that is run again does nothing twice. A sweep holds a lock, so that a slow one, taken for dead,
// never runs beside the next.

import {
  every,
  exclusiveLock,
  isCode,
  joinPeriodicTask,
  type FifoQueue,
  type Hold,
  type Operation,
  type PeriodicTask,
  type Slot,
  type ZooKeeperSession,
} from '@catchment/coordination'
import {
  absencesSchema,
  commandsWaitingMax,
  decodeZnode,
  encodeZnode,
  ProtocolError,
  type Absences,
  type TreePaths,
} from '@catchment/protocol'
import { asError, type Log } from '@catchment/runtime'
import { decodeCommand, encodeCommand } from './command-queue.ts'
import { absent, forgettings, surplusJournal, youngOutcomes } from './decide/housekeeping.ts'
import type { Observation } from '../tree/observation.ts'
import type { TreeCache } from '../tree/tree-cache.ts'

/** How long a sweep waits for one that still holds the lock; then its slot is run again later. */
const lockTimeoutMs = 10_000
/** Commands that one sweep enqueues at most; the rest is found again by the next. */
const forgettingsMax = 100
const leaveTimeoutMs = 1_000

export interface HousekeepingOptions {
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly id: string
  readonly queue: FifoQueue
  readonly cache: TreeCache
  readonly observation: Observation
  readonly housekeepingIntervalMs: number
  /** How long a collector's status has to be absent until it is forgotten, if it owns nothing. */
  readonly forgetAfterMs: number
  readonly log: Log
}

export class Housekeeping {
  readonly #options: HousekeepingOptions
  #task: PeriodicTask | undefined

  constructor(options: HousekeepingOptions) {
    this.#options = options
  }

  start(): void {
    const { session, paths, id, housekeepingIntervalMs } = this.#options
    const lock = exclusiveLock(session, { path: paths.sweeping, id })
    this.#task = joinPeriodicTask(session, {
      path: paths.housekeeping,
      id,
      schedule: every(housekeepingIntervalMs),
      run: (slot) => lock.run((hold) => this.#sweep(slot, hold), { signal: slot.signal, timeoutMs: lockTimeoutMs }),
    })
  }

  /** A sweep that does not end in time is given up: another assigner does it, or the next one here. */
  async close(): Promise<void> {
    try {
      await this.#task?.leave({ timeoutMs: leaveTimeoutMs })
    } catch (thrown) {
      this.#options.log.debug('housekeeping ends with the session', { reason: asError(thrown).message })
    }
  }

  async #sweep(slot: Slot, hold: Hold): Promise<readonly Operation[]> {
    const { session, paths, queue, cache, observation, forgetAfterMs, log } = this.#options
    const signal = AbortSignal.any([slot.signal, hold.signal])
    const snapshot = await cache.refresh({ sync: true })
    const waiting = await queue.items({ max: commandsWaitingMax, signal })
    const known = await this.#absences(signal)
    await this.#trimJournal(hold, signal)
    const now = session.clock.now()
    const { absences, forgotten } = absent(observation.standpoint().collectors, known.absences, { now, forgetAfterMs })
    const commands = forgettings(
      forgotten,
      waiting.flatMap(({ data }) => decodeCommand(data, log) ?? []),
      { slotMs: slot.scheduledMs, now },
    ).slice(0, Math.max(0, Math.min(forgettingsMax, commandsWaitingMax - waiting.length)))
    if (commands.length > 0) log.info('collectors are to be forgotten', { ids: commands.map(({ target }) => target) })
    const outcomes = youngOutcomes(snapshot.outcomes, now)
    return [
      ...known.write(absences),
      ...commands.map((command) => queue.putOperation(encodeCommand(command))),
      ...(outcomes.length === snapshot.outcomes.length
        ? []
        : [write(paths.outcomes, outcomes, snapshot.outcomesVersion)]),
    ]
  }

  /** What earlier sweeps have seen, and how to write what this one has: nothing where nothing is new. */
  async #absences(signal: AbortSignal): Promise<{ absences: Absences; write: (next: Absences) => Operation[] }> {
    const { session, paths, log } = this.#options
    const path = paths.absences
    try {
      const { data, stat } = await session.get(path, { signal })
      const absences = this.#decode(data, path)
      return {
        absences,
        write: (next) => (isSame(absences, next) ? [] : [write(path, next, stat.version)]),
      }
    } catch (thrown) {
      if (!isCode(thrown, 'no-node')) throw thrown
      log.debug('no sweep was made before')
      return { absences: {}, write: (next) => [{ op: 'create', path, data: encodeZnode(next) }] }
    }
  }

  /** What cannot be understood counts as nothing: then the time begins again. */
  #decode(data: Buffer, path: string): Absences {
    try {
      return decodeZnode(absencesSchema, data, path)
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown
      this.#options.log.warn('cannot understand what earlier sweeps have seen', { reason: thrown.message })
      return {}
    }
  }

  /** Deleting twice does no harm, so it is done at once. */
  async #trimJournal(hold: Hold, signal: AbortSignal): Promise<void> {
    const { session, paths, log } = this.#options
    const surplus = surplusJournal((await session.children(paths.journal, { signal })).names)
    for (const name of surplus) {
      if (!hold.held) throw new Error('the lock of the sweep is lost')
      try {
        await session.delete(`${paths.journal}/${name}`, 'any', { signal })
      } catch (thrown) {
        if (!isCode(thrown, 'no-node')) throw thrown
      }
    }
    if (surplus.length > 0) log.info('deleted old decisions from the journal', { count: surplus.length })
  }
}

function write(path: string, value: unknown, version: number): Operation {
  return { op: 'set', path, data: encodeZnode(value), version }
}

function isSame(one: Absences, other: Absences): boolean {
  const ids = Object.keys(other)
  return ids.length === Object.keys(one).length && ids.every((id) => one[id] === other[id])
}
