import { asError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { sleep } from './waiting.ts'
import type { Random } from '../random.ts'

/** A retry policy is a value: a generator of delays in milliseconds. When it ends, the retrying ends. */
export type RetryPolicy = () => Iterator<number>

/**
 * Exponential backoff with full jitter: the n-th delay is uniform in [0, min(maxMs, baseMs × 2ⁿ)), n from 0.
 * `attemptsMax` counts the first attempt too: there is one delay fewer.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function fullJitter(
  random: Random,
  options: { baseMs: number; maxMs: number; attemptsMax?: number },
): RetryPolicy {
  const attemptsMax = options.attemptsMax ?? Infinity
  return function* delays() {
    for (let attempt = 0; attempt < attemptsMax - 1; attempt += 1)
      yield random.float() * Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30))
  }
}

export interface RetryOptions {
  readonly clock: Clock
  readonly policy: RetryPolicy
  readonly signal?: AbortSignal
  /** Called with what failed and the delay that follows. Throw here to give up. */
  readonly onFailure?: (error: Error, delayMs: number) => void
}

/** Runs `attempt` until it succeeds, the policy ends (the last error is thrown) or the signal aborts. */
export async function retry<T>(attempt: (signal?: AbortSignal) => Promise<T>, options: RetryOptions): Promise<T> {
  const delays = options.policy()
  for (;;) {
    options.signal?.throwIfAborted()
    try {
      return await attempt(options.signal)
    } catch (thrown) {
      const next = delays.next()
      if (next.done === true || options.signal?.aborted === true) throw thrown
      options.onFailure?.(asError(thrown), next.value)
      await sleep(options.clock, next.value, options.signal)
    }
  }
}
