// Which collector serves which group, as far as this agent knows: it takes news only from newer epochs, and keeps what it
// knows while no assigner answers. Beside it, when a collector that fails is tried again.

import type { ResolveAnswer } from '@catchment/protocol'
import { backoffMs } from './backoff.ts'

export interface CollectorRoute {
  readonly collector: string
  readonly url: string
  readonly epoch: number
}

export type Routes = ReadonlyMap<string, CollectorRoute>

/** A group without an accepting collector, and what is known about that. */
export interface Wanted {
  readonly epoch: number
  readonly refusedBy: string | undefined
  /** Where `refusedBy` was looked for: an assigner that knows it elsewhere by now answers at once. */
  readonly refusedUrl?: string | undefined
}

export interface Learned {
  readonly routes: Routes
  /** Groups whose collector or URL is another now. */
  readonly changed: readonly string[]
  /** Groups that were answered, be it with what was known. */
  readonly settled: readonly string[]
  /** Groups whose answer was older than what is known, and was ignored. */
  readonly older: readonly string[]
}

/** What an assigner's answer changes. An older epoch than the known one changes nothing, nor than what a collector said. */
export function learn(routes: Routes, wanted: ReadonlyMap<string, Wanted>, answer: ResolveAnswer): Learned {
  const next = new Map(routes)
  const changed: string[] = []
  const settled: string[] = []
  const older: string[] = []
  for (const { group, collector, url, epoch } of answer.assigned) {
    const known = routes.get(group)
    if (epoch < (known?.epoch ?? 0)) {
      older.push(group)
      continue
    }
    // A collector said that from a newer epoch on the collector does not serve the group: the same name again is old news.
    const want = wanted.get(group)
    if (want !== undefined && want.refusedBy === collector && want.epoch > epoch) {
      older.push(group)
      continue
    }
    settled.push(group)
    if (known?.collector !== collector || known.url !== url) changed.push(group)
    next.set(group, { collector, url, epoch })
  }
  return { routes: next, changed, settled, older }
}

/** A breaker: closed, or open until an instant; then one request probes. */
export interface Breaker {
  readonly failures: number
  readonly openUntilMs: number
}

export const closedBreaker: Breaker = { failures: 0, openUntilMs: 0 }
const breakerBackoff = { baseMs: 100, maxMs: 5000 }

export function tripped(breaker: Breaker, nowMs: number, chance: number): Breaker {
  return {
    failures: breaker.failures + 1,
    openUntilMs: nowMs + backoffMs(breakerBackoff, breaker.failures, chance),
  }
}

/** How many requests may be under way: while it fails, one that probes. */
export function requestsAllowed(breaker: Breaker, nowMs: number, requestsMax: number): number {
  if (breaker.failures === 0) return requestsMax
  return nowMs >= breaker.openUntilMs ? 1 : 0
}

/** A pause that a server asked for (429, 503, 507), with jitter, so that a thousand agents do not return at once. */
export function pauseMs(retryAfterMs: number | undefined, attempt: number, chance: number): number {
  const asked = retryAfterMs ?? Math.min(10_000, 100 * 2 ** Math.min(attempt, 10))
  return Math.min(60_000, asked) * (1 + chance / 4) + chance * 50
}
