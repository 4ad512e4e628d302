// The worker of one queue in Redis. It stops fetching after an error (a Redis that is full would be asked a thousand times
// a second) and goes on by itself; it begins nothing while it is paused or closing, whatever arrives.

import { Background, type Clock, type Random, type Timer } from '@catchment/runtime'
import { backoffMs } from '../decide/backoff.ts'
import { failureCause } from '../decide/failure.ts'
import { within } from '../deadline.ts'
import { endRuns } from '../ending.ts'
import { parseJob } from '../job.ts'
import type { QueueLimits, QueueTimes } from '../limits.ts'
import type { LimitedLog } from '../limited-log.ts'
import { perform } from '../perform.ts'
import type { Processor } from '../queues.ts'
import { JobRuns } from '../runs.ts'
import { startFetching, type Fetching, type Processed, type StoredJob } from './bullmq.ts'
import type { RedisLink } from './connection.ts'

export interface RedisWorkerOptions {
  readonly sink: string
  readonly name: string
  readonly prefix: string
  readonly worker: RedisLink
  readonly openBlocking: () => RedisLink
  readonly processor: Processor
  readonly concurrency: number
  readonly clock: Clock
  readonly random: Random
  readonly log: LimitedLog
  readonly limits: QueueLimits
  readonly times: QueueTimes
}

/** Of the time that `close` has, what remains for the last commands to Redis after the runs have ended. */
const farewellShare = 0.15
/** BullMQ reports so every renewal that came too late, after `lockRenewalFailed` has said it. */
const renewalError = /could not renew lock/

export class RedisWorker {
  readonly #options: RedisWorkerOptions
  readonly #runs: JobRuns
  readonly #fetching: Fetching
  readonly #blocking: RedisLink
  readonly #work: Background
  #paused = false
  #closing = false
  /** Errors since the last job that arrived. */
  #failures = 0
  /** Runs while nothing is fetched because of an error. */
  #holding: Timer | undefined

  constructor(options: RedisWorkerOptions) {
    this.#options = options
    const { sink, clock, log } = options
    this.#runs = new JobRuns(clock)
    this.#work = new Background((name, error) => {
      log.warn('worker', `${name} failed`, { sink, error: error.message })
    })
    this.#blocking = options.openBlocking()
    this.#fetching = startFetching(options.name, {
      ...options,
      client: options.worker.client,
      blockingClient: this.#blocking.client,
      process: (job, lockedAtMs) => this.#process(job, lockedAtMs),
      onRenewed: (ids, sentAtMs) => {
        this.#runs.renew(ids, sentAtMs + options.times.lockMs)
      },
      onLost: (ids) => {
        this.#runs.lose(ids, 'another worker has the lock of the job')
      },
      onError: (error) => {
        this.#failed(error)
      },
    })
  }

  pause(): void {
    this.#paused = true
    this.#apply()
  }

  resume(): void {
    this.#paused = false
    this.#apply()
  }

  /** Ids of what had not ended; by `deadlineMs` at the latest. The connection `worker` is its owner's to take down. */
  async close(deadlineMs: number): Promise<readonly string[]> {
    const { clock, worker } = this.#options
    this.#closing = true
    this.#holding?.cancel()
    this.#apply()
    const abandoned = await endRuns(this.#runs, clock, deadlineMs)
    const force = abandoned.length > 0 || !worker.usable()
    if (force) this.#blocking.disconnect()
    const closed = this.#fetching.close(force)
    await within(
      clock,
      closed.catch(() => undefined),
      deadlineMs * farewellShare,
      undefined,
    )
    this.#blocking.disconnect()
    return abandoned
  }

  async #process(stored: StoredJob, lockedAtMs: number): Promise<Processed> {
    const { sink, log, times, limits, random, processor } = this.#options
    if (this.#closing || this.#paused) return { kind: 'back' }
    this.#failures = 0
    const job = parseJob(stored.data)
    if (job === undefined) {
      log.warn('foreign', 'a job in the queue is none of ours and was dropped', { sink, id: stored.id })
      return { kind: 'done' }
    }
    const run = this.#runs.start(stored.id, stored.attempts, lockedAtMs + times.lockMs)
    const outcome = await perform(processor, job, run)
    if (outcome.kind === 'done') return outcome
    const delayMs = backoffMs(times.retry, stored.attempts, random.float(), outcome.afterMs)
    return { kind: 'retry', error: outcome.error.slice(0, limits.errorCharactersMax), delayMs }
  }

  #failed(error: Error): void {
    const { sink, log, clock, random, times } = this.#options
    const cause = failureCause(error.message)
    log.warn(`worker ${cause}`, 'the worker of the queue reports an error', { sink, error: error.message })
    if (this.#closing || cause === 'away' || renewalError.test(error.message)) return // comes back by itself, or one job's
    if (this.#holding !== undefined) return
    this.#failures += 1
    this.#holding = clock.after(backoffMs(times.hold, this.#failures, random.float()), () => {
      this.#holding = undefined
      this.#apply()
    })
    this.#apply()
  }

  #apply(): void {
    const stopped = this.#paused || this.#closing || this.#holding !== undefined
    this.#work.run(stopped ? 'pausing' : 'resuming', () => (stopped ? this.#fetching.pause() : this.#fetching.resume()))
  }
}
