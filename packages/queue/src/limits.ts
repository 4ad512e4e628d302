// What grows is bounded here, by name.

import type { BackoffPolicy } from './decide/backoff.ts'

export interface QueueLimits {
  /** Jobs of one queue, whatever their state. At the limit `add` refuses as `full`; the outbox keeps the ranges. */
  readonly jobsMax: number
  /** Jobs that `jobs` lists at most. */
  readonly listedMax: number
  /** Of an error kept with a job. */
  readonly errorCharactersMax: number
  /** Lines in the log per cause and minute; the next line of that cause says how many were left out. */
  readonly logLinesPerMinuteMax: number
  /** Jobs in one command to Redis. */
  readonly addedAtOnceMax: number
  /** The event stream of a queue in Redis, about. */
  readonly eventsMax: number
}

export const queueLimits: QueueLimits = {
  jobsMax: 10_000,
  listedMax: 1_000,
  errorCharactersMax: 500,
  logLinesPerMinuteMax: 3,
  addedAtOnceMax: 200,
  eventsMax: 100,
}

export interface QueueTimes {
  /** The delay before a job is tried again. */
  readonly retry: BackoffPolicy
  /**
   * A run whose lock was not renewed for so long has lost it. Long: above twice the slowest call of a sink, and above any
   * time for which the event loop can be blocked.
   */
  readonly lockMs: number
  /** How often a worker looks for jobs whose lock is gone. */
  readonly stalledCheckMs: number
  /** A command to Redis that takes longer has an unknown outcome. */
  readonly commandMs: number
  readonly connectMs: number
  /** How long nothing is sent to Redis after a failure, and nothing fetched after an error. */
  readonly hold: BackoffPolicy
  readonly reconnect: BackoffPolicy
}

export const queueTimes: QueueTimes = {
  retry: { baseMs: 1_000, maxMs: 60_000 },
  lockMs: 120_000,
  stalledCheckMs: 30_000,
  commandMs: 3_000,
  connectMs: 2_000,
  hold: { baseMs: 500, maxMs: 15_000 },
  reconnect: { baseMs: 200, maxMs: 5_000 },
}
