import { fullJitter, type Random } from '@catchment/runtime'

/** Delays that grow with each failure in a row, with full jitter, and start again after a success. */
export class Backoff {
  readonly #policy: () => Iterator<number>
  #delays: Iterator<number>

  constructor(random: Random, options: { readonly baseMs: number; readonly maxMs: number }) {
    this.#policy = fullJitter(random, options)
    this.#delays = this.#policy()
  }

  nextMs(): number {
    const next = this.#delays.next()
    return next.done === true ? 0 : next.value
  }

  reset(): void {
    this.#delays = this.#policy()
  }
}
