// The queue between the two sides of a stream: reading puts frames in at the end, shipping takes them from the start once
// they are durable. They stay in memory until then, so that a file truncated meanwhile takes nothing with it that was read.

import type { Mark } from '../decide/mark.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { cutFrame, finish, type Encoded, type PreparedFrame } from './prepared-frame.ts'

export class FrameQueue {
  readonly #memory: MemoryBudget
  /** Contiguous, from the checkpoint on. */
  #frames: PreparedFrame[] = []

  constructor(memory: MemoryBudget) {
    this.#memory = memory
  }

  get frames(): readonly PreparedFrame[] {
    return this.#frames
  }

  get empty(): boolean {
    return this.#frames.length === 0
  }

  /** The first frame is compressed and can leave. */
  get ready(): boolean {
    return this.#frames[0]?.payload !== undefined
  }

  push(frame: PreparedFrame): void {
    this.#frames.push(frame)
    this.#memory.take(frame.heldBytes)
  }

  /** `frame` is compressed. */
  finish(frame: PreparedFrame, encoded: Encoded): void {
    const before = frame.heldBytes
    finish(frame, encoded)
    if (this.#frames.includes(frame)) this.#memory.take(frame.heldBytes - before) // else cleared meanwhile
  }

  /**
   * Drops what lies before `checkpoint`, and cuts the frame that it lies in. Returns the mark at the checkpoint: `unread`
   * where only the file has the bytes before it, undefined when nothing was dropped.
   */
  dropBefore(checkpoint: number): Mark | 'unread' | undefined {
    let mark: Mark | undefined
    for (let first = this.#frames[0]; first !== undefined && first.from < checkpoint; first = this.#frames[0]) {
      // Still being compressed: it is cut when it leaves.
      if (first.payload === undefined && first.to > checkpoint) return 'unread'
      this.#frames.shift()
      this.#memory.give(first.heldBytes)
      mark = first.after
      if (first.to <= checkpoint) continue
      const rest = cutFrame(first, checkpoint, first.to)
      this.#frames.unshift(rest)
      this.#memory.take(rest.heldBytes)
      return rest.before
    }
    return mark
  }

  /** None of them will be sent. */
  clear(): void {
    for (const frame of this.#frames) this.#memory.give(frame.heldBytes)
    this.#frames = []
  }
}
