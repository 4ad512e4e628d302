import type { Followed } from './followed.ts'

/** Who is to be looked at in which tick. Twenty thousand idle files cost a look every ten seconds, not a scan a tick. */
export class LookWheel {
  readonly #buckets: Set<Followed>[] = Array.from({ length: 64 }, () => new Set<Followed>())
  #tick = 0

  /** Looks at `followed` in `ticks` ticks, 1 to 63, and not before. */
  schedule(followed: Followed, ticks: number): void {
    this.remove(followed)
    followed.lookAtTick = this.#tick + Math.max(1, Math.min(63, Math.round(ticks)))
    this.#bucket(followed.lookAtTick).add(followed)
  }

  remove(followed: Followed): void {
    this.#bucket(followed.lookAtTick).delete(followed)
  }

  /** The next tick: those whose turn it is. */
  turn(): Followed[] {
    this.#tick += 1
    const bucket = this.#bucket(this.#tick)
    const due = [...bucket]
    bucket.clear()
    return due
  }

  #bucket(tick: number): Set<Followed> {
    return this.#buckets[tick % this.#buckets.length] ?? new Set()
  }
}
