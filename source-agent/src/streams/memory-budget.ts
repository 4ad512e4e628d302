/** What all streams together hold in memory: blocks that are being read, and frames that are not durable yet. */
export class MemoryBudget {
  #heldBytes = 0

  get heldBytes(): number {
    return this.#heldBytes
  }

  take(bytes: number): void {
    this.#heldBytes += bytes
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes
  }
}
