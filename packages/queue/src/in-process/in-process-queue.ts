import { Background, type Clock, type Random, type Timer } from '@catchment/runtime'
import { backoffMs } from '../decide/backoff.ts'
import { endRuns } from '../ending.ts'
import { jobId, type DeliveryJob } from '../job.ts'
import type { QueueLimits, QueueTimes } from '../limits.ts'
import type { LimitedLog } from '../limited-log.ts'
import { perform } from '../perform.ts'
import type {
  AddResult,
  DeliveryQueue,
  JobOutcome,
  Processor,
  QueueCounts,
  QueuedJob,
  JobState,
  ReconcileResult,
} from '../queues.ts'
import { JobRuns } from '../runs.ts'

interface Entry {
  readonly id: string
  readonly job: DeliveryJob
  state: JobState
  attempts: number
  lastError: string | undefined
  due: Timer | undefined
}

export interface InProcessQueueOptions {
  readonly sink: string
  readonly clock: Clock
  readonly random: Random
  readonly log: LimitedLog
  readonly limits: QueueLimits
  readonly times: QueueTimes
}

/** The queue of one sink in this process: the same rules as in Redis, and it is empty after a restart. */
export class InProcessQueue implements DeliveryQueue {
  readonly sink: string
  readonly #options: InProcessQueueOptions
  readonly #runs: JobRuns
  readonly #work: Background
  readonly #entries = new Map<string, Entry>()
  /** Those that may begin, in order. */
  readonly #waiting = new Set<Entry>()
  #active = 0
  #worker: { readonly processor: Processor; readonly concurrency: number } | undefined
  #paused = false
  #closing = false

  constructor(options: InProcessQueueOptions) {
    this.sink = options.sink
    this.#options = options
    this.#runs = new JobRuns(options.clock)
    this.#work = new Background((name, error) => {
      options.log.warn('failed', `${name} failed`, { sink: options.sink, error: error.message })
    })
  }

  add(jobs: readonly DeliveryJob[]): Promise<AddResult> {
    const refused: DeliveryJob[] = []
    for (const job of jobs) if (!this.#admit(job)) refused.push(job)
    this.#pump()
    const reason = refused.length === 0 ? undefined : this.#closing ? 'closing' : 'full'
    const retryAfterMs = reason === undefined ? 0 : this.#options.times.hold.maxMs
    return Promise.resolve({ accepted: jobs.length - refused.length, unknown: [], refused, reason, retryAfterMs })
  }

  async reconcile(wanted: readonly DeliveryJob[]): Promise<ReconcileResult> {
    const present = wanted.filter((job) => this.#entries.has(jobId(job))).length
    return { ...(await this.add(wanted)), present }
  }

  work(processor: Processor, { concurrency }: { readonly concurrency: number }): void {
    if (this.#worker !== undefined) throw new Error(`the queue of ${this.sink} is worked on already`)
    this.#worker = { processor, concurrency }
    this.#pump()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#pump()
  }

  counts(): Promise<QueueCounts> {
    const waiting = this.#waiting.size
    return Promise.resolve({ waiting, active: this.#active, delayed: this.#entries.size - waiting - this.#active })
  }

  jobs(state: JobState, limit: number): Promise<readonly QueuedJob[]> {
    const inState =
      state === 'waiting' ? [...this.#waiting] : [...this.#entries.values()].filter((e) => e.state === state)
    const shown = inState.slice(0, Math.min(limit, this.#options.limits.listedMax))
    return Promise.resolve(shown.map(({ id, job, attempts, lastError }) => ({ id, job, state, attempts, lastError })))
  }

  /** As `Queues.close`, for this queue. */
  async close(deadlineMs: number): Promise<readonly string[]> {
    this.#closing = true
    for (const { due } of this.#entries.values()) due?.cancel()
    return endRuns(this.#runs, this.#options.clock, deadlineMs)
  }

  #admit(job: DeliveryJob): boolean {
    const id = jobId(job)
    if (this.#closing) return false
    if (this.#entries.has(id)) return true
    if (this.#entries.size >= this.#options.limits.jobsMax) return false
    const entry: Entry = { id, job, state: 'waiting', attempts: 0, lastError: undefined, due: undefined }
    this.#entries.set(id, entry)
    this.#waiting.add(entry)
    return true
  }

  /** Begins what may begin. */
  #pump(): void {
    const worker = this.#worker
    if (worker === undefined) return
    for (const entry of this.#waiting) {
      if (this.#paused || this.#closing || this.#active >= worker.concurrency) return
      this.#waiting.delete(entry)
      entry.state = 'active'
      entry.attempts += 1
      this.#active += 1
      this.#work.run(`job ${entry.id}`, () => this.#run(entry, worker.processor))
    }
  }

  async #run(entry: Entry, processor: Processor): Promise<void> {
    const outcome = await perform(processor, entry.job, this.#runs.start(entry.id, entry.attempts, Infinity))
    this.#active -= 1
    this.#settle(entry, outcome)
    this.#pump()
  }

  #settle(entry: Entry, outcome: JobOutcome): void {
    if (outcome.kind === 'done') {
      this.#entries.delete(entry.id)
      return
    }
    const { times, limits, clock, random } = this.#options
    entry.state = 'delayed'
    entry.lastError = outcome.error.slice(0, limits.errorCharactersMax)
    if (this.#closing) return
    entry.due = clock.after(backoffMs(times.retry, entry.attempts, random.float(), outcome.afterMs), () => {
      entry.due = undefined
      entry.state = 'waiting'
      this.#waiting.add(entry)
      this.#pump()
    })
  }
}
