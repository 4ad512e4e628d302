import type { Clock } from '@catchment/runtime'
import type { CallOptions } from '../contract/session.ts'

/** The limits of one call for several together: `timeoutMs` is what is left whenever it is asked for, at last 0. */
export function sharedDeadline<T extends CallOptions>({ clock }: { readonly clock: Clock }, options: T): T {
  const { signal, generation, timeoutMs } = options // may be accessors of a class, which a spread leaves out
  if (timeoutMs === undefined) return options
  const endMs = clock.monotonicMs() + timeoutMs
  return {
    ...options,
    signal,
    generation,
    get timeoutMs() {
      return Math.max(0, endMs - clock.monotonicMs())
    },
  }
}
