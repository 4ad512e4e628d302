// The face of the queue, the same for both implementations. The queue is an accelerator: what was delivered is known by the
// cursor beside the segments, and the outbox, which owns that cursor, adds again whatever the queue has lost. So no call
// here throws for the state of Redis, and none waits longer than its limit.

import type { QueueProblem } from './decide/problems.ts'
import type { TokenRate } from './decide/token-bucket.ts'
import type { DeliveryJob } from './job.ts'

/** Why jobs were not sent: a cause of Redis, a limit of ours, or the end. */
export type AddRefusal =
  | 'away'
  | 'hanging'
  | 'out-of-memory'
  | 'read-only'
  | 'loading'
  | 'unwritable'
  | 'refused'
  | 'no-quorum'
  | 'other'
  | 'full'
  | 'closing'

export interface AddResult {
  /** How many are in the queue now, whether by this call or from before. */
  readonly accepted: number
  /** Sent without an answer: they may be there or not. Adding them again is harmless. */
  readonly unknown: readonly DeliveryJob[]
  /** Not sent, or refused. */
  readonly refused: readonly DeliveryJob[]
  /** Why, unless all were accepted. */
  readonly reason: AddRefusal | undefined
  /** When another try is worth it; 0 where all were accepted. */
  readonly retryAfterMs: number
}

export interface ReconcileResult extends AddResult {
  /** How many of the wanted ones were in the queue already. */
  readonly present: number
}

/** What became of a job. A job is never given up: `retry` brings the same job again, after full jitter. */
export type JobOutcome =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'retry'
      readonly error: string
      /** The least delay, as a sink's Retry-After asks for it. */
      readonly afterMs?: number
    }

export interface JobContext {
  /** How often it was begun, this time included; from 1. */
  readonly attempt: number
  /** Aborts when the lock is lost, at the end of the grace of `close`, never otherwise. */
  readonly signal: AbortSignal
  /**
   * Whether this run still is the only one of its job. Ask immediately before the cursor moves, in the same turn of the
   * event loop: a run that has lost its lock must not move it.
   */
  held(): boolean
}

/** May be called twice for one job (at least once is what queues give). A rejection is a `retry` with its message. */
export type Processor = (job: DeliveryJob, context: JobContext) => Promise<JobOutcome>

export type JobState = 'waiting' | 'active' | 'delayed'

export interface QueuedJob {
  readonly id: string
  readonly job: DeliveryJob
  readonly state: JobState
  /** How often it was begun. */
  readonly attempts: number
  readonly lastError: string | undefined
}

export type QueueCounts = Readonly<Record<JobState, number>>

export interface DeliveryQueue {
  readonly sink: string
  /** Adds what is not there yet. At most `jobsMax` of a queue are kept; what exceeds them is refused as `full`. */
  add(jobs: readonly DeliveryJob[]): Promise<AddResult>
  /**
   * Makes sure that all of `wanted` are there: the outbox calls it now and then with every range that the cursor lacks. A
   * job whose remains would keep its id from being added (Redis stopped within a change) is cleared away first.
   */
  reconcile(wanted: readonly DeliveryJob[]): Promise<ReconcileResult>
  /** Starts processing, at most `concurrency` jobs at a time. Once for a queue. */
  work(processor: Processor, options: { readonly concurrency: number }): void
  /** No job begins until `resume`. It is kept in this process: a flush of Redis cannot lose it. */
  pause(): void
  resume(): void
  /** Undefined when Redis does not say. */
  counts(): Promise<QueueCounts | undefined>
  /** At most `limit` jobs (`listedMax` is the most) in `state`, the next ones first. Undefined when Redis does not say. */
  jobs(state: JobState, limit: number): Promise<readonly QueuedJob[] | undefined>
}

export interface RateLimiter {
  /** 0: taken. Else nothing was taken, and it is worth another try after so many milliseconds. */
  take(tokens: number): Promise<number>
}

export interface CloseResult {
  /** Ids of the jobs whose processors had not ended by the deadline. They come again. */
  readonly abandoned: readonly string[]
}

export interface Queues {
  readonly kind: 'in-process' | 'redis'
  /** The queue of a sink; the same object for the same sink. */
  queue(sink: string): DeliveryQueue
  /** The limit `name` of the whole cluster, by Redis; while Redis is away each living collector takes its share. */
  limiter(name: string, rate: TokenRate): RateLimiter
  /** How many collectors live, this one included; for shares. */
  setLivingCollectors(count: number): void
  /** What stands in `status`. */
  problems(): readonly QueueProblem[]
  /** Calls `listener` with all problems whenever they change; returns how to stop that. */
  onProblems(listener: (problems: readonly QueueProblem[]) => void): () => void
  /**
   * No job begins any more; those that run may end within most of `deadlineMs`, are then aborted, and abandoned at the
   * deadline. Resolves by then whatever Redis does, and leaves no connection.
   */
  close(deadlineMs: number): Promise<CloseResult>
}
