import { realClock, realRandom, type Log } from '@catchment/runtime'
import { collectingLog } from '@catchment/testing'
import { openQueues, type DeliveryJob, type JobOutcome, type Queues, type QueuesOptions } from '../../src/index.ts'

/** Times at which a test waits for little; what a test is about it sets itself. */
export const times = {
  retry: { baseMs: 2, maxMs: 20 },
  lockMs: 30_000,
  stalledCheckMs: 500,
  commandMs: 1_500,
  connectMs: 5_000,
  hold: { baseMs: 20, maxMs: 100 },
  reconnect: { baseMs: 20, maxMs: 100 },
}

export type Given = Partial<Omit<QueuesOptions, 'times'>> & {
  readonly times?: QueuesOptions['times']
  readonly log?: Log
}

/** Queues with short times, on the real clock. */
export function opened(given: Given = {}): Queues {
  const defaults = { collector: 'c1', clock: realClock, random: realRandom, log: collectingLog() }
  return openQueues({ ...defaults, ...given, times: { ...times, ...given.times } })
}

/** The n-th job of `sink`. */
export function job(n: number, sink = 'es'): DeliveryJob {
  return { sink, segment: 7, from: n * 100, to: (n + 1) * 100, version: 1 }
}

export function jobsUpTo(count: number, sink = 'es'): DeliveryJob[] {
  return Array.from({ length: count }, (_, n) => job(n, sink))
}

export const done: JobOutcome = { kind: 'done' }
