// Everything that is sent to Redis for an answer goes through one gate of all queues: it sends nothing while there is no
// connection or Redis has just failed, ends each call at its time limit, and knows what is wrong.

import { asError, type Clock, type Random } from '@catchment/runtime'
import { afterFailure, heldMs, passing, type RedisBreaker } from '../decide/breaker.ts'
import { failureCause, type FailureCause } from '../decide/failure.ts'
import { within } from '../deadline.ts'
import type { QueueTimes } from '../limits.ts'
import type { LimitedLog } from '../limited-log.ts'

/** `sent`: whether Redis may have done it all the same. */
export type GateAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly sent: boolean; readonly cause: FailureCause; readonly retryAfterMs: number }

export interface GateOptions {
  readonly usable: () => boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: LimitedLog
  readonly times: QueueTimes
  /** The breaker has changed. */
  readonly onChange: (breaker: RedisBreaker) => void
}

/** A command may wait for one before it in the same connection; the connection's own limit ends both. */
const deadlineFactor = 1.5
const late = Symbol('late')

export class Gate {
  readonly #options: GateOptions
  #breaker: RedisBreaker = passing

  constructor(options: GateOptions) {
    this.#options = options
  }

  get breaker(): RedisBreaker {
    return this.#breaker
  }

  /** Redis is there again, whatever was before. */
  reset(): void {
    this.#set(passing)
  }

  /** `what` is for the log: it names the attempt. Never rejects. */
  async call<T>(what: string, send: () => Promise<T>): Promise<GateAnswer<T>> {
    const { usable, clock, times } = this.#options
    if (!usable()) return { ok: false, sent: false, cause: 'away', retryAfterMs: times.reconnect.maxMs }
    const waitMs = heldMs(this.#breaker, clock.monotonicMs())
    if (this.#breaker.kind === 'holding' && waitMs > 0)
      return { ok: false, sent: false, cause: this.#breaker.cause, retryAfterMs: waitMs }
    try {
      const value = await within(clock, send(), times.commandMs * deadlineFactor, late)
      if (value === late) return this.#failed(what, 'Command timed out')
      if (this.#breaker.kind === 'holding') this.#set(passing)
      return { ok: true, value }
    } catch (thrown) {
      return this.#failed(what, asError(thrown).message)
    }
  }

  #failed(what: string, error: string): GateAnswer<never> {
    const { clock, random, log, times } = this.#options
    const cause = failureCause(error)
    log.warn(cause, `Redis failed: ${what}`, { error })
    const failure = { cause, nowMs: clock.monotonicMs(), drawn: random.float() }
    this.#set(afterFailure(this.#breaker, failure, times.hold))
    return { ok: false, sent: true, cause, retryAfterMs: heldMs(this.#breaker, clock.monotonicMs()) }
  }

  #set(breaker: RedisBreaker): void {
    this.#breaker = breaker
    this.#options.onChange(breaker)
  }
}
