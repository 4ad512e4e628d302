// A token bucket: it holds at most `burst` tokens and gains `perSecond` of them; who takes more than there are waits. The
// script in redis/limit-script.ts computes the same on a Redis that all collectors share.

export interface TokenRate {
  readonly perSecond: number
  /** The most that can be taken at once after a pause. */
  readonly burst: number
}

export interface Bucket {
  readonly tokens: number
  /** When `tokens` was true, monotonic milliseconds. */
  readonly atMs: number
}

export interface Taken {
  readonly bucket: Bucket
  /** 0: taken. Else nothing was taken, and so many milliseconds have to pass before it is worth another try. */
  readonly waitMs: number
}

/**
 * Takes `tokens` at `nowMs`. More than `burst` is taken from a full bucket and leaves a debt, so that a large request is
 * delayed and not refused for ever.
 */
export function take(bucket: Bucket, rate: TokenRate, tokens: number, nowMs: number): Taken {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs)
  const filled = Math.min(rate.burst, bucket.tokens + (elapsedMs * rate.perSecond) / 1000)
  const needed = Math.min(tokens, rate.burst)
  if (filled >= needed) return { bucket: { tokens: filled - tokens, atMs: nowMs }, waitMs: 0 }
  const waitMs = Math.ceil(((needed - filled) * 1000) / rate.perSecond)
  return { bucket: { tokens: filled, atMs: nowMs }, waitMs }
}

/** One collector's share of a cluster's rate while no Redis is there to share it exactly. `living` counts this one too. */
export function shareOf(rate: TokenRate, living: number): TokenRate {
  const shares = Math.max(1, Math.floor(living))
  return { perSecond: rate.perSecond / shares, burst: Math.max(1, rate.burst / shares) }
}
