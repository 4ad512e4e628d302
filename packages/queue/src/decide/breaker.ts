// After a failure nothing is sent to Redis for a while, which grows with each failure in a row; then the next call tries.
// Without it every caller would wait out the time limit of a Redis that hangs, and a Redis that is full would be asked a
// thousand times a second.

import { backoffMs, type BackoffPolicy } from './backoff.ts'
import type { FailureCause } from './failure.ts'

export type RedisBreaker =
  | { readonly kind: 'passing' }
  | { readonly kind: 'holding'; readonly cause: FailureCause; readonly failures: number; readonly untilMs: number }

export const passing: RedisBreaker = { kind: 'passing' }

/** The state after a call failed at `nowMs` (monotonic) for `cause`. `drawn` is uniform in [0, 1). */
export function afterFailure(
  breaker: RedisBreaker,
  failure: { readonly cause: FailureCause; readonly nowMs: number; readonly drawn: number },
  policy: BackoffPolicy,
): RedisBreaker {
  const failures = (breaker.kind === 'holding' ? breaker.failures : 0) + 1
  const untilMs = failure.nowMs + backoffMs(policy, failures, failure.drawn)
  return { kind: 'holding', cause: failure.cause, failures, untilMs }
}

/** How long a caller has to wait at `nowMs` before it may try, in milliseconds; 0: now. */
export function heldMs(breaker: RedisBreaker, nowMs: number): number {
  return breaker.kind === 'holding' ? Math.max(0, breaker.untilMs - nowMs) : 0
}
