/** Which items are due in which tick. Twenty thousand idle files cost a look every ten seconds, not a scan a tick. */
export class TimingWheel<T> {
  readonly #buckets: Set<T>[] = Array.from({ length: 64 }, () => new Set<T>())
  readonly #dueTicks = new Map<T, number>()
  #tick = 0

  /** `item` is due in `ticks` ticks, 1 to 63, and not before. */
  schedule(item: T, ticks: number): void {
    this.remove(item)
    const due = this.#tick + Math.max(1, Math.min(63, Math.round(ticks)))
    this.#dueTicks.set(item, due)
    this.#bucket(due).add(item)
  }

  remove(item: T): void {
    const due = this.#dueTicks.get(item)
    if (due === undefined) return
    this.#bucket(due).delete(item)
    this.#dueTicks.delete(item)
  }

  /** The next tick: the items that are due. */
  advance(): T[] {
    this.#tick += 1
    const bucket = this.#bucket(this.#tick)
    const due = [...bucket]
    bucket.clear()
    for (const item of due) this.#dueTicks.delete(item)
    return due
  }

  #bucket(tick: number): Set<T> {
    return this.#buckets[tick % this.#buckets.length] ?? new Set()
  }
}
