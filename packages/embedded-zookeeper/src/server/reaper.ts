// Containers and TTL nodes that are due are looked for at an interval, as ZooKeeper's ContainerManager does it: such a
// node outlives its end by up to that long. While there are none no timer stands.

import type { Clock, Timer } from '@catchment/runtime'

export class Reaper {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #reap: () => void
  #timer: Timer | undefined

  constructor(clock: Clock, intervalMs: number, reap: () => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#reap = reap
  }

  /** There are nodes to look after, or none. */
  watch(any: boolean): void {
    if (!any) this.close()
    else
      this.#timer ??= this.#clock.after(this.#intervalMs, () => {
        this.#timer = undefined
        this.#reap()
      })
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
