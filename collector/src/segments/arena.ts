/** Shared memory that is handed out piece by piece and taken back as a whole: no page of it is ever cleared again. */
export class Arena {
  readonly memory: SharedArrayBuffer
  #used = 0

  constructor(bytes: number) {
    this.memory = new SharedArrayBuffer(bytes)
  }

  /** A piece of `bytes` bytes, not cleared; undefined when there is no room. */
  take(bytes: number): Buffer | undefined {
    if (this.#used + bytes > this.memory.byteLength) return undefined
    this.#used += bytes
    return Buffer.from(this.memory, this.#used - bytes, bytes)
  }

  /** Nothing that was handed out is in use any more. */
  reset(): void {
    this.#used = 0
  }
}
