import type { Clock, Random } from '@catchment/runtime'
import type { TokenRate } from '../decide/token-bucket.ts'
import type { QueueLimits, QueueTimes } from '../limits.ts'
import type { LimitedLog } from '../limited-log.ts'
import type { CloseResult, DeliveryQueue, Queues, RateLimiter } from '../queues.ts'
import { InProcessLimiter } from './in-process-limiter.ts'
import { InProcessQueue } from './in-process-queue.ts'

export interface InProcessQueuesOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: LimitedLog
  readonly limits: QueueLimits
  readonly times: QueueTimes
}

/** The queues of a collector without Redis. They have no problems, and are empty after a restart. */
export class InProcessQueues implements Queues {
  readonly kind = 'in-process'
  readonly #options: InProcessQueuesOptions
  readonly #queues = new Map<string, InProcessQueue>()
  readonly #limiters = new Map<string, InProcessLimiter>()
  #living = 1

  constructor(options: InProcessQueuesOptions) {
    this.#options = options
  }

  queue(sink: string): DeliveryQueue {
    const queue = this.#queues.get(sink) ?? new InProcessQueue({ ...this.#options, sink })
    this.#queues.set(sink, queue)
    return queue
  }

  limiter(name: string, rate: TokenRate): RateLimiter {
    const limiter = this.#limiters.get(name) ?? new InProcessLimiter(this.#options.clock, rate, () => this.#living)
    this.#limiters.set(name, limiter)
    return limiter
  }

  setLivingCollectors(count: number): void {
    this.#living = count
  }

  problems(): readonly never[] {
    return []
  }

  onProblems(): () => void {
    return () => undefined
  }

  async close(deadlineMs: number): Promise<CloseResult> {
    const abandoned = await Promise.all([...this.#queues.values()].map((queue) => queue.close(deadlineMs)))
    return { abandoned: abandoned.flat() }
  }
}
