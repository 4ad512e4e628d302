// Some errors come a thousand times a second (a Redis that is full, a worker that asks again). Each cause gets a few lines
// a minute, and the first line of the next minute says how many were left out.

import type { Clock, Log, LogFields } from '@catchment/runtime'

const minuteMs = 60_000
/** Causes come from a table of ours; should texts of errors ever leak into them, the oldest is forgotten. */
const causesMax = 100

export class LimitedLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #linesPerMinuteMax: number
  readonly #causes = new Map<string, { startedMs: number; lines: number; leftOut: number }>()

  constructor(log: Log, clock: Clock, linesPerMinuteMax: number) {
    this.#log = log
    this.#clock = clock
    this.#linesPerMinuteMax = linesPerMinuteMax
  }

  warn(cause: string, message: string, fields: LogFields = {}): void {
    const nowMs = this.#clock.monotonicMs()
    let minute = this.#causes.get(cause)
    const leftOut = minute?.leftOut ?? 0
    if (minute === undefined || nowMs - minute.startedMs >= minuteMs) {
      minute = { startedMs: nowMs, lines: 0, leftOut: 0 }
      this.#causes.delete(cause)
      this.#causes.set(cause, minute)
      const [oldest] = this.#causes.keys()
      if (this.#causes.size > causesMax && oldest !== undefined) this.#causes.delete(oldest)
    }
    if (minute.lines >= this.#linesPerMinuteMax) {
      minute.leftOut += 1
      return
    }
    minute.lines += 1
    this.#log.warn(message, { cause, ...fields, ...(minute.lines === 1 && leftOut > 0 && { leftOut }) })
  }
}
