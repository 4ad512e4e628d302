// Jobs in Redis; the one file that knows BullMQ. What was seen of BullMQ 6.7 and is cured here:
//
// - A job that is kept after its end, or the remains of one, keep its id from being added again, in silence. So nothing is
//   kept (`removeOnComplete`, `removeOnFail`), and `clear` takes remains away.
// - A job whose worker dies fails after `maxStalledCount` deaths, whatever its attempts. So that is out of reach.
// - A fetch begun before a pause or close may bring a job after it. So `process` may send a job back.
// - A worker learns of a lost lock by an event, and only when its event loop runs again. So renewals are reported with the
//   time at which they were sent, and a lease is counted from there.
// - `skipWaitingForReady` makes every add of a queue that was made before Redis was there reject for ever. So it is not
//   used, and an add looks first whether the connection is usable.
// - It prints a bad eviction policy to the console. So it does not look (`skipVersionCheck`); `RedisLink.ask` does.

import { Queue, QueueKeys, RedisConnection, RedisQueueBackend, WaitingError, Worker, type Job } from 'bullmq'
import type { Clock } from '@catchment/runtime'
import type { QueueLimits, QueueTimes } from '../limits.ts'
import type { JobState, QueueCounts } from '../queues.ts'
import { blockSeconds, type RedisClient } from './connection.ts'

/** BullMQ's name for it is that of one kind of jobs among others; a queue of ours has one kind. */
const jobName = 'deliver'
/** The most that it can count to; neither attempts nor deaths ever end a job. */
const never = 2 ** 31 - 1
const states = { waiting: 'wait', active: 'active', delayed: 'delayed' } as const

export interface JobStoreOptions {
  readonly client: RedisClient
  readonly prefix: string
  readonly limits: QueueLimits
  readonly onError: (error: Error) => void
}

export interface StoredJob {
  readonly id: string
  readonly data: unknown
  readonly attempts: number
  readonly lastError: string | undefined
}

/** The jobs of one queue in Redis. Every call rejects where Redis refuses it or does not answer in time. */
export interface JobStore {
  /** In one transaction. A rejection leaves it open which are there. */
  add(jobs: readonly { readonly id: string; readonly data: object }[]): Promise<void>
  /** The ids of all jobs that will be worked on, of one moment. */
  ids(): Promise<ReadonlySet<string>>
  counts(): Promise<QueueCounts>
  list(state: JobState, limit: number): Promise<readonly StoredJob[]>
  /** Removes what is left of the jobs `ids`, none of which is in `ids()`. */
  clear(ids: readonly string[]): Promise<void>
}

export function openStore(name: string, { client, prefix, limits, onError }: JobStoreOptions): JobStore {
  const queue = new Queue(name, {
    connection: client,
    prefix,
    skipVersionCheck: true,
    streams: { events: { maxLen: limits.eventsMax } },
    defaultJobOptions: {
      removeOnComplete: true,
      removeOnFail: true,
      attempts: never,
      backoff: { type: 'ours' },
      stackTraceLimit: 1,
    },
  })
  queue.on('error', onError)
  return {
    add: async (jobs) => {
      await queue.addBulk(jobs.map(({ id, data }) => ({ name: jobName, data, opts: { jobId: id } })))
    },
    ids: async () => new Set(await queue.getRanges(Object.values(states), 0, -1)),
    counts: async () => {
      const { wait = 0, active = 0, delayed = 0 } = await queue.getJobCounts(...Object.values(states))
      return { waiting: wait, active, delayed }
    },
    list: async (state, limit) => {
      const jobs = await queue.getJobs([states[state]], 0, limit - 1, true)
      return jobs.map((job) => stored(job))
    },
    clear: async (ids) => {
      const found = await Promise.all(ids.map((id) => queue.getJob(id)))
      await Promise.all(found.flatMap((job) => (job === undefined ? [] : [job.remove()])))
    },
  }
}

function stored(job: Job<unknown>): StoredJob {
  return {
    id: job.id ?? '',
    data: job.data,
    attempts: job.attemptsStarted,
    lastError: job.failedReason === '' ? undefined : job.failedReason,
  }
}

/** What becomes of a job that was fetched: `back` leaves it in the queue as it was. */
export type Processed =
  | { readonly kind: 'done' }
  | { readonly kind: 'back' }
  | { readonly kind: 'retry'; readonly error: string; readonly delayMs: number }

export interface FetchingOptions {
  readonly client: RedisClient
  /** For the blocking command; of this worker alone. */
  readonly blockingClient: RedisClient
  readonly prefix: string
  readonly clock: Clock
  readonly times: QueueTimes
  readonly concurrency: number
  /** `lockedAtMs`: the monotonic time at which the lock was asked for, or earlier. */
  readonly process: (job: StoredJob, lockedAtMs: number) => Promise<Processed>
  readonly onRenewed: (ids: readonly string[], sentAtMs: number) => void
  readonly onLost: (ids: readonly string[]) => void
  readonly onError: (error: Error) => void
}

export interface Fetching {
  /** Fetches no more; what was fetched goes on. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Ends it; unless `force`, after the jobs that run. May take for ever while Redis is away. */
  close(force: boolean): Promise<void>
}

/** Fetches jobs of the queue `name` as long as it is not paused. */
export function startFetching(name: string, options: FetchingOptions): Fetching {
  const worker = new ReportingWorker(name, options)
  return {
    pause: () => worker.pause(true),
    resume: () => worker.resume(),
    close: (force) => worker.close(force),
  }
}

/** Thrown to BullMQ, which keeps its message with the job and asks for the delay. */
class Retry extends Error {
  readonly delayMs: number

  constructor(message: string, delayMs: number) {
    super(message)
    this.stack = message // the stack would be of this file, at every job
    this.delayMs = delayMs
  }
}

class ReportingWorker extends Worker<unknown, void> {
  readonly #options: FetchingOptions

  constructor(name: string, options: FetchingOptions) {
    const { client, prefix, times, concurrency, clock } = options
    const work = async (job: Job<unknown, void>, token = ''): Promise<void> => {
      // when the fetch was sent, by the clock of this machine; should it have been set meanwhile, the lease is shorter
      const sinceMs = Math.abs(clock.now() - (job.processedOn ?? 0))
      const processed = await options.process(stored(job), clock.monotonicMs() - sinceMs)
      if (processed.kind === 'retry') throw new Retry(processed.error, processed.delayMs)
      if (processed.kind === 'done') return
      await job.moveToWait(token)
      throw new WaitingError()
    }
    const workerOptions = {
      connection: client,
      prefix,
      skipVersionCheck: true,
      autorun: false,
      concurrency,
      drainDelay: blockSeconds,
      lockDuration: times.lockMs,
      stalledInterval: times.stalledCheckMs,
      maxStalledCount: never,
      runRetryDelay: times.hold.baseMs,
      settings: {
        backoffStrategy: (_made: number, _type?: string, error?: Error) =>
          error instanceof Retry ? error.delayMs : times.retry.baseMs,
      },
    }
    super(name, work, workerOptions, () => backend(name, workerOptions, options))
    this.#options = options
    this.on('error', options.onError)
    this.on('lockRenewalFailed', options.onLost)
    this.run().catch(options.onError)
  }

  /** BullMQ's lock manager renews through it. */
  override async extendJobLocks(ids: string[], tokens: string[], durationMs: number): Promise<string[]> {
    const sentAtMs = this.#options.clock.monotonicMs()
    const lost = await super.extendJobLocks(ids, tokens, durationMs)
    this.#options.onRenewed(
      ids.filter((id) => !lost.includes(id)),
      sentAtMs,
    )
    return lost
  }
}

/** What BullMQ would make by itself, on connections that are ours: it could not be kept from connecting again otherwise. */
function backend(
  name: string,
  workerOptions: { readonly connection: RedisClient },
  { client, blockingClient, prefix }: FetchingOptions,
): RedisQueueBackend {
  const keys = new QueueKeys(prefix)
  const main = new RedisConnection(client, { shared: true, blocking: false, skipVersionCheck: true })
  const blocking = new RedisConnection(blockingClient, { shared: false, blocking: true, skipVersionCheck: true })
  blocking.client.then(
    () => {
      // every Redis that is new enough for us can; not having looked at the version, it would round up to whole seconds
      blocking.capabilities = { canDoubleTimeout: true, canBlockFor1Ms: false }
    },
    () => undefined, // it is closed before it was ever there
  )
  const toKey = (type: string): string => keys.toKey(name, type)
  return new RedisQueueBackend(main, name, keys.getKeys(name), toKey, workerOptions, blocking)
}
