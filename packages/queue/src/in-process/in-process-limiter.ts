import type { Clock } from '@catchment/runtime'
import { shareOf, take, type Bucket, type TokenRate } from '../decide/token-bucket.ts'
import type { RateLimiter } from '../queues.ts'

/**
 * This collector's share of a rate. Its bucket starts empty: what a shared limit has granted a moment ago is not granted
 * again here. `living` is asked at each take.
 */
export class InProcessLimiter implements RateLimiter {
  readonly #clock: Clock
  readonly #rate: TokenRate
  readonly #living: () => number
  #bucket: Bucket

  constructor(clock: Clock, rate: TokenRate, living: () => number) {
    this.#clock = clock
    this.#rate = rate
    this.#living = living
    this.#bucket = { tokens: 0, atMs: clock.monotonicMs() }
  }

  take(tokens: number): Promise<number> {
    const { bucket, waitMs } = take(
      this.#bucket,
      shareOf(this.#rate, this.#living()),
      tokens,
      this.#clock.monotonicMs(),
    )
    this.#bucket = bucket
    return Promise.resolve(waitMs)
  }
}
