import type { Clock, Random } from '@catchment/runtime'
import { jobId, parseJob, queueName, type DeliveryJob } from '../job.ts'
import type { QueueLimits, QueueTimes } from '../limits.ts'
import type { LimitedLog } from '../limited-log.ts'
import type {
  AddResult,
  DeliveryQueue,
  JobState,
  Processor,
  QueueCounts,
  QueuedJob,
  ReconcileResult,
  AddRefusal,
} from '../queues.ts'
import { openStore, type JobStore } from './bullmq.ts'
import type { RedisLink } from './connection.ts'
import type { Gate } from './gate.ts'
import { RedisWorker } from './redis-worker.ts'

export interface RedisQueueOptions {
  readonly sink: string
  readonly collector: string
  readonly prefix: string
  readonly producer: RedisLink
  readonly worker: RedisLink
  readonly openBlocking: () => RedisLink
  readonly gate: Gate
  readonly clock: Clock
  readonly random: Random
  readonly log: LimitedLog
  readonly limits: QueueLimits
  readonly times: QueueTimes
}

/** The queue of one sink and collector in Redis. */
export class RedisQueue implements DeliveryQueue {
  readonly sink: string
  readonly #options: RedisQueueOptions
  readonly #name: string
  readonly #store: JobStore
  #worker: RedisWorker | undefined
  /** One change of the queue after the other: what `reconcile` reads must not change under it. */
  #changes: Promise<unknown> = Promise.resolve()
  /** No more jobs than these are in the queue: as counted, and all that were added since. */
  #jobsAtMost = Infinity
  #paused = false
  #closing = false

  constructor(options: RedisQueueOptions) {
    const { sink, collector, producer, prefix, limits, log } = options
    this.sink = sink
    this.#options = options
    this.#name = queueName(collector, sink)
    this.#store = openStore(this.#name, {
      client: producer.client,
      prefix,
      limits,
      onError: (error) => {
        log.warn('producer', 'the queue reports an error', { sink, error: error.message })
      },
    })
  }

  add(jobs: readonly DeliveryJob[]): Promise<AddResult> {
    return this.#change(() => this.#add(jobs))
  }

  reconcile(wanted: readonly DeliveryJob[]): Promise<ReconcileResult> {
    return this.#change(async () => {
      if (this.#closing) return { ...refusal(wanted, 'closing', 0), present: 0 }
      const known = await this.#options.gate.call('listing the jobs', () => this.#store.ids())
      if (!known.ok) return { ...refusal(wanted, known.cause, known.retryAfterMs), present: 0 }
      const missing = wanted.filter((job) => !known.value.has(jobId(job)))
      const present = wanted.length - missing.length
      for (const some of chunks(missing.map(jobId), this.#options.limits.addedAtOnceMax)) {
        const cleared = await this.#options.gate.call('clearing remains of jobs', () => this.#store.clear(some))
        if (!cleared.ok) return { ...refusal(missing, cleared.cause, cleared.retryAfterMs), accepted: present, present }
      }
      const added = await this.#add(missing)
      return { ...added, accepted: added.accepted + present, present }
    })
  }

  work(processor: Processor, { concurrency }: { readonly concurrency: number }): void {
    if (this.#worker !== undefined) throw new Error(`the queue of ${this.sink} is worked on already`)
    this.#worker = new RedisWorker({ ...this.#options, name: this.#name, processor, concurrency })
    if (this.#paused) this.#worker.pause()
  }

  pause(): void {
    this.#paused = true
    this.#worker?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#worker?.resume()
  }

  async counts(): Promise<QueueCounts | undefined> {
    const answer = await this.#options.gate.call('counting the jobs', () => this.#store.counts())
    return answer.ok ? answer.value : undefined
  }

  async jobs(state: JobState, limit: number): Promise<readonly QueuedJob[] | undefined> {
    const shown = Math.min(limit, this.#options.limits.listedMax)
    if (shown < 1) return []
    const answer = await this.#options.gate.call('listing jobs', () => this.#store.list(state, shown))
    if (!answer.ok) return undefined
    return answer.value.flatMap(({ id, data, attempts, lastError }) => {
      const job = parseJob(data)
      return job === undefined ? [] : [{ id, job, state, attempts, lastError }]
    })
  }

  /** As `Queues.close`, for this queue; its connections are its owner's. */
  async close(deadlineMs: number): Promise<readonly string[]> {
    this.#closing = true
    return (await this.#worker?.close(deadlineMs)) ?? []
  }

  async #add(jobs: readonly DeliveryJob[]): Promise<AddResult> {
    if (this.#closing) return refusal(jobs, 'closing', 0)
    if (jobs.length === 0) return { accepted: 0, unknown: [], refused: [], reason: undefined, retryAfterMs: 0 }
    const { limits, times } = this.#options
    if (this.#jobsAtMost + jobs.length > limits.jobsMax) {
      const counted = await this.#options.gate.call('counting the jobs', () => this.#store.counts())
      if (!counted.ok) return refusal(jobs, counted.cause, counted.retryAfterMs)
      this.#jobsAtMost = sum(counted.value)
    }
    const room = Math.max(0, limits.jobsMax - this.#jobsAtMost)
    const fitting = jobs.slice(0, room)
    this.#jobsAtMost += fitting.length
    const result = await this.#send(fitting)
    if (result.reason !== undefined || jobs.length <= room)
      return { ...result, refused: [...result.refused, ...jobs.slice(room)] }
    return { ...result, refused: jobs.slice(room), reason: 'full', retryAfterMs: times.hold.maxMs }
  }

  async #send(jobs: readonly DeliveryJob[]): Promise<AddResult> {
    let accepted = 0
    for (const some of chunks(jobs, this.#options.limits.addedAtOnceMax)) {
      const sent = await this.#options.gate.call('adding jobs', () =>
        this.#store.add(some.map((job) => ({ id: jobId(job), data: job }))),
      )
      if (!sent.ok) {
        const unknown = sent.sent ? some : []
        const refused = jobs.slice(accepted + unknown.length)
        return { accepted, unknown, refused, reason: sent.cause, retryAfterMs: sent.retryAfterMs }
      }
      accepted += some.length
    }
    return { accepted, unknown: [], refused: [], reason: undefined, retryAfterMs: 0 }
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#changes.then(change)
    this.#changes = changed.catch(() => undefined)
    return changed
  }
}

function refusal(refused: readonly DeliveryJob[], reason: AddRefusal, retryAfterMs: number): AddResult {
  return { accepted: 0, unknown: [], refused, reason, retryAfterMs }
}

function sum({ waiting, active, delayed }: QueueCounts): number {
  return waiting + active + delayed
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}
