interface FifoEntry<T> {
  readonly value: T
  state: 'waiting' | 'gone'
}

/**
 * First in, first out, and out of turn: each operation takes constant time, averaged, however long it is. (A Set, whose
 * deleted entries are walked over, and an array, which is moved, do not.)
 */
export class Fifo<T> {
  #entries: FifoEntry<T>[] = []
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Returns what takes the value out again, and whether it was still there. */
  push(value: T): () => boolean {
    const entry: FifoEntry<T> = { value, state: 'waiting' }
    this.#entries.push(entry)
    this.#size += 1
    return () => {
      if (entry.state === 'gone') return false
      entry.state = 'gone'
      this.#size -= 1
      if (this.#entries.length > 64 && this.#size < this.#entries.length / 2) this.#compact()
      return true
    }
  }

  /** Takes the first. */
  shift(): T | undefined {
    for (;;) {
      const entry = this.#entries[this.#head]
      if (entry === undefined) return undefined
      this.#head += 1
      if (entry.state === 'gone') continue
      entry.state = 'gone'
      this.#size -= 1
      if (this.#head > 64 && this.#head > this.#entries.length / 2) this.#compact()
      return entry.value
    }
  }

  #compact(): void {
    this.#entries = this.#entries.filter(({ state }) => state === 'waiting')
    this.#head = 0
  }
}
