import type { Clock, Timer } from '@catchment/runtime'

/**
 * When sessions expire. One timer stands at the earliest deadline; hearing from a session moves its deadline and leaves
 * the timer, which looks again when it fires.
 */
export class SessionTracker {
  readonly #clock: Clock
  readonly #onExpired: (id: bigint) => void
  readonly #deadlinesMs = new Map<bigint, number>()
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined

  constructor(clock: Clock, onExpired: (id: bigint) => void) {
    this.#clock = clock
    this.#onExpired = onExpired
  }

  /** The session lives for another `timeoutMs`. */
  touch(id: bigint, timeoutMs: number): void {
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs
    this.#deadlinesMs.set(id, deadlineMs)
    this.#lookAt(deadlineMs)
  }

  remove(id: bigint): void {
    this.#deadlinesMs.delete(id)
  }

  close(): void {
    this.#timer?.timer.cancel()
    this.#timer = undefined
    this.#deadlinesMs.clear()
  }

  #lookAt(deadlineMs: number): void {
    if (this.#timer !== undefined) {
      if (this.#timer.atMs <= deadlineMs) return
      this.#timer.timer.cancel()
    }
    const timer = this.#clock.after(Math.max(0, deadlineMs - this.#clock.monotonicMs()), () => {
      this.#timer = undefined
      this.#expireDue()
    })
    this.#timer = { atMs: deadlineMs, timer }
  }

  #expireDue(): void {
    const nowMs = this.#clock.monotonicMs()
    let earliestMs = Infinity
    for (const [id, deadlineMs] of this.#deadlinesMs) {
      if (deadlineMs > nowMs) {
        earliestMs = Math.min(earliestMs, deadlineMs)
      } else {
        this.#deadlinesMs.delete(id)
        this.#onExpired(id)
      }
    }
    if (earliestMs < Infinity) this.#lookAt(earliestMs)
  }
}
