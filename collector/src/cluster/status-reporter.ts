// Keeps this collector's status in the tree: puts it there, at once or when ZooKeeper can be reached, and rewrites it every
// interval for as long as the disk takes writes.

import { EventEmitter } from 'node:events'
import type { CollectorStatus } from '@catchment/protocol'
import { asError, Background, CatchmentError, sleep, type Clock, type Log } from '@catchment/runtime'
import type { DiskProbe } from './disk-probe.ts'
import type { ClusterMember } from './membership.ts'
import { untilAborted } from './until-aborted.ts'

export const reportIntervalMs = 2000

export interface StatusReporterOptions {
  readonly member: ClusterMember
  readonly probe: DiskProbe
  /** The status as it is now. */
  readonly describe: () => CollectorStatus
  readonly clock: Clock
  readonly log: Log
}

export class StatusReporter {
  readonly #options: StatusReporterOptions
  readonly #events = new EventEmitter<{ due: []; refused: [CatchmentError] }>()
  readonly #background: Background
  #changed = new AbortController()

  constructor(options: StatusReporterOptions) {
    this.#options = options
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.message })
    })
  }

  /** A report is due: emitted every interval, before the disk is probed and the status is made. */
  onDue(listener: () => void): void {
    this.#events.on('due', listener)
  }

  /** ZooKeeper was reached later, and another process lives under this id. */
  onRefused(listener: (error: CatchmentError) => void): void {
    this.#events.on('refused', listener)
  }

  /** Puts the status into the tree. Throws CatchmentError `refused` when another process lives under this id. */
  async join(): Promise<void> {
    await this.#options.member.join(this.#options.describe())
  }

  /** Begins to report; first joins, as soon as ZooKeeper is there, unless that is done. */
  start({ joined }: { readonly joined: boolean }): void {
    if (!joined) this.#background.run('joining', (signal) => this.#joinLater(signal))
    this.#background.run('reporting', (signal) => this.#report(signal))
  }

  /** The list or the state has changed: the next report is due at once. */
  reportNow(): void {
    this.#changed.abort(new Error('changed'))
  }

  async close(): Promise<void> {
    await this.#background.close()
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { member, probe, describe, clock, log } = this.#options
    while (!signal.aborted) {
      this.#changed = new AbortController()
      try {
        this.#events.emit('due')
        await probe.check(signal)
        await untilAborted(member.report(describe()), signal)
      } catch (thrown) {
        log.debug('the status could not be written', { reason: asError(thrown).message })
      }
      const woken = AbortSignal.any([signal, this.#changed.signal])
      await sleep(clock, reportIntervalMs, woken).catch(() => undefined)
    }
  }

  async #joinLater(signal: AbortSignal): Promise<void> {
    const { member, clock, log } = this.#options
    while (!signal.aborted) {
      try {
        await untilAborted(member.connect(), signal)
        await untilAborted(this.join(), signal)
        return
      } catch (thrown) {
        if (thrown instanceof CatchmentError && thrown.code === 'refused') {
          this.#events.emit('refused', thrown)
          return
        }
        log.warn('could not join yet, again soon', { reason: asError(thrown).message })
        await sleep(clock, reportIntervalMs, signal)
      }
    }
  }
}
