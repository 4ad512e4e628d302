import { limitWait, type Clock } from '@catchment/runtime'
import { abortError, ZooKeeperError, type Outcome } from '../contract/errors.ts'
import type { CallOptions } from '../contract/session.ts'

/** What is waited for: for errors, "release /locks/a"; and what its failure to come in time says of it. */
export interface Awaited {
  readonly name: string
  readonly outcome: Outcome
}

/**
 * Calls `giveUp` once, with `timeout` or `aborted`, as soon as the limits of a call are passed: from within this call if its
 * signal has aborted. Returns what takes that back, to be called when the wait is over.
 */
export function limited(
  clock: Clock,
  { signal, timeoutMs }: CallOptions,
  awaited: () => Awaited,
  giveUp: (error: ZooKeeperError) => void,
): () => void {
  return limitWait(clock, { signal, timeoutMs }, (why) => {
    const { name, outcome } = awaited()
    const late = `${name}: not within ${Math.round(timeoutMs ?? Infinity)} ms`
    giveUp(
      why === 'timeout' ? new ZooKeeperError('timeout', late, { outcome }) : abortError(name, signal?.reason, outcome),
    )
  })
}
