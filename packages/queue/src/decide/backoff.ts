// Retries that never give up: a sink that is away for a day gets its jobs when it is back. Only the delay is bounded.

export interface BackoffPolicy {
  readonly baseMs: number
  readonly maxMs: number
}

/** Beyond it 2ⁿ would only lose precision; the bound `maxMs` has long been reached. */
const exponentMax = 30

/**
 * The delay before the next attempt after `failures` failures in a row (1 or more), in whole milliseconds, at least 1:
 * uniform in [0, min(maxMs, baseMs × 2ⁿ)) with n = failures − 1. `drawn` is uniform in [0, 1). What the other side asked
 * for (`afterMs`) is a lower bound: the jitter is added to it, so that many do not come back at the same moment.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter).
 */
export function backoffMs(policy: BackoffPolicy, failures: number, drawn: number, afterMs = 0): number {
  const exponent = Math.min(Math.max(failures, 1) - 1, exponentMax)
  const jitter = drawn * Math.min(policy.maxMs, policy.baseMs * 2 ** exponent)
  return Math.max(1, Math.ceil(afterMs + jitter))
}
