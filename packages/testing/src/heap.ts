/** A binary heap: what is before all others is at the top. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #isBefore: (one: T, other: T) => boolean

  constructor(isBefore: (one: T, other: T) => boolean) {
    this.#isBefore = isBefore
  }

  get top(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    let at = this.#items.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.#items[above]
      if (parent === undefined || !this.#isBefore(item, parent)) break
      this.#items[at] = parent
      at = above
    }
    this.#items[at] = item
  }

  pop(): T | undefined {
    const { top } = this
    const last = this.#items.pop()
    if (last !== undefined && this.#items.length > 0) this.#sink(last)
    return top
  }

  /** Puts `item` where the top was, or as far below as it belongs. */
  #sink(item: T): void {
    let at = 0
    for (;;) {
      const child = this.#firstBelow(at)
      const below = this.#items[child]
      if (below === undefined || !this.#isBefore(below, item)) break
      this.#items[at] = below
      at = child
    }
    this.#items[at] = item
  }

  #firstBelow(at: number): number {
    const left = 2 * at + 1
    const [one, other] = [this.#items[left], this.#items[left + 1]]
    return one !== undefined && other !== undefined && this.#isBefore(other, one) ? left + 1 : left
  }
}
