// Collectors by pressure: an indexed binary heap whose keys can change in place. Equal keys go by the collector's
// number, which is the order of ids, so the top is the same however the heap came to be.
import { f64, i32 } from './arrays.ts'

const ABSENT = -1

export class CollectorHeap {
  readonly #key: Float64Array
  readonly #sign: 1 | -1
  readonly #slots: Int32Array
  readonly #slotOf: Int32Array
  #size = 0

  /** `key` holds one number for each collector; `coldest` first or `hottest` first. Begins empty. */
  constructor(key: Float64Array, first: 'coldest' | 'hottest') {
    this.#key = key
    this.#sign = first === 'coldest' ? 1 : -1
    this.#slots = new Int32Array(key.length)
    this.#slotOf = new Int32Array(key.length).fill(ABSENT)
  }

  get size(): number {
    return this.#size
  }

  /** The collector in a slot. Slot 0 is the first of all; the slots after it hold near ones, in no strict order. */
  at(slot: number): number {
    return i32(this.#slots, slot)
  }

  insert(collector: number): void {
    this.#put(this.#size, collector)
    this.#size++
    this.#rise(this.#size - 1)
  }

  remove(collector: number): void {
    const slot = i32(this.#slotOf, collector)
    if (slot === ABSENT) return
    this.#slotOf[collector] = ABSENT
    this.#size--
    if (slot === this.#size) return
    this.#put(slot, i32(this.#slots, this.#size))
    this.#sink(this.#rise(slot))
  }

  /** To be called after the collector's key has changed; one that is not in the heap is ignored. */
  update(collector: number): void {
    const slot = i32(this.#slotOf, collector)
    if (slot !== ABSENT) this.#sink(this.#rise(slot))
  }

  #put(slot: number, collector: number): void {
    this.#slots[slot] = collector
    this.#slotOf[collector] = slot
  }

  #before(a: number, b: number): boolean {
    const difference = f64(this.#key, a) - f64(this.#key, b)
    return difference === 0 ? a < b : difference * this.#sign < 0
  }

  #rise(from: number): number {
    let slot = from
    const collector = this.at(slot)
    while (slot > 0) {
      const parent = (slot - 1) >> 1
      if (!this.#before(collector, this.at(parent))) break
      this.#put(slot, this.at(parent))
      slot = parent
    }
    this.#put(slot, collector)
    return slot
  }

  #sink(from: number): void {
    let slot = from
    const collector = this.at(slot)
    for (;;) {
      let child = 2 * slot + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && this.#before(this.at(child + 1), this.at(child))) child++
      if (!this.#before(this.at(child), collector)) break
      this.#put(slot, this.at(child))
      slot = child
    }
    this.#put(slot, collector)
  }
}
