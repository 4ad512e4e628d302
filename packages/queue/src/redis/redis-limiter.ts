import type { Clock } from '@catchment/runtime'
import type { TokenRate } from '../decide/token-bucket.ts'
import { InProcessLimiter } from '../in-process/in-process-limiter.ts'
import type { RateLimiter } from '../queues.ts'
import type { RedisLink } from './connection.ts'
import type { Gate } from './gate.ts'

export interface RedisLimiterOptions {
  readonly key: string
  readonly rate: TokenRate
  readonly link: RedisLink
  readonly gate: Gate
  readonly clock: Clock
  readonly living: () => number
}

/**
 * A rate of the whole cluster. While Redis does not answer this collector takes its share, beginning with none, since the
 * last tokens from Redis may be a moment old. An answer that did not come may have taken tokens: then the limit is kept
 * all the same.
 */
export class RedisLimiter implements RateLimiter {
  readonly #options: RedisLimiterOptions
  #alone: InProcessLimiter | undefined

  constructor(options: RedisLimiterOptions) {
    this.#options = options
  }

  async take(tokens: number): Promise<number> {
    const { key, rate, link, gate, clock, living } = this.#options
    const answer = await gate.call('taking tokens of a rate limit', () =>
      link.takeTokens(key, [rate.perSecond, rate.burst, tokens]),
    )
    if (!answer.ok) {
      this.#alone ??= new InProcessLimiter(clock, rate, living)
      return this.#alone.take(tokens)
    }
    this.#alone = undefined
    return answer.value
  }
}
