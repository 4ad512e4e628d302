import { asError, realClock, sleep, type Clock } from '@catchment/runtime'
import { patienceMs } from './patience.ts'

const probeIntervalMs = 20

/**
 * What `probe` returns, as soon as it is neither undefined nor false; asked again and again. For what no event announces, in
 * tests of real processes; where there is an event, await it. Rejects after `timeoutMs` with `what` was awaited and the
 * last error of `probe`. In virtual time it is the clock of that time that waits.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeoutMs = patienceMs,
  clock: Clock = realClock,
): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = clock.monotonicMs() + timeoutMs
  let last: Error | undefined
  for (;;) {
    try {
      const value = await probe()
      if (isThere(value)) return value
      last = undefined
    } catch (thrown) {
      last = asError(thrown)
    }
    if (clock.monotonicMs() >= deadlineMs)
      throw new Error(`waited ${timeoutMs} ms for ${what}${last === undefined ? '' : `: ${last.message}`}`, {
        cause: last,
      })
    await sleep(clock, probeIntervalMs)
  }
}

function isThere<T>(value: T): value is Exclude<T, undefined | false> {
  return value !== undefined && value !== false
}
