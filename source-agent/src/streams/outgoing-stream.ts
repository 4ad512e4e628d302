// The sending side of a stream: the sender's state, the frames that are prepared and not yet durable, and the checkpoint.
// It reads of the file's side what a record needs, and changes nothing there. Only shipping calls the methods that change
// it.

import type { Unconfirmed } from '@catchment/protocol'
import type { StreamRecord } from '../data/checkpoint-record.ts'
import { markAfter, noMark, type Mark } from '../decide/mark.ts'
import { beginSender, recordOf, resumeSender, sent, type SenderState, type SentFrame } from '../decide/sender.ts'
import { tailBefore, type FollowedFile } from '../files/followed-file.ts'
import type { HeldFile } from '../files/held-file.ts'
import { FrameQueue } from './frame-queue.ts'
import type { MemoryBudget } from './memory-budget.ts'

/** What the sending side reads of the file's side. */
export type StreamSource = Pick<
  FollowedFile,
  'stream' | 'path' | 'group' | 'at' | 'state' | 'identity' | 'sizeBytes' | 'offset'
>

/** The rest of a generation that cannot be read any more. */
export interface MissingRest {
  readonly from: number
  readonly why: string
  /** A gap over it was sent and never answered. */
  readonly unanswered: boolean
}

export class OutgoingStream {
  readonly source: StreamSource
  readonly queue: FrameQueue
  #sender: SenderState
  #mark: Mark
  #recording = false
  #missing: MissingRest | undefined

  constructor(source: StreamSource, sender: SenderState, mark: Mark, memory: MemoryBudget) {
    this.source = source
    this.queue = new FrameQueue(memory)
    this.#sender = sender
    this.#mark = mark
  }

  /** A stream that no collector knows yet, from `offset` on. */
  static begin(source: StreamSource, tail: Buffer, memory: MemoryBudget): OutgoingStream {
    return new OutgoingStream(source, beginSender(source.stream, source.offset), markAfter(tail), memory)
  }

  /** A stream of the checkpoint log, whose file holds `sizeBytes` at most. */
  static resume(source: StreamSource, record: StreamRecord, sizeBytes: number, memory: MemoryBudget): OutgoingStream {
    const { stream, checkpoint, collector, doubts, mark } = record
    const known = { stream, checkpoint, collector, unconfirmed: doubts }
    return new OutgoingStream(source, resumeSender(known, sizeBytes), mark, memory)
  }

  get id(): string {
    return this.source.stream
  }

  get group(): string {
    return this.source.group
  }

  get path(): string {
    return this.source.path
  }

  get sender(): SenderState {
    return this.#sender
  }

  get checkpoint(): number {
    return this.#sender.checkpoint
  }

  get unconfirmed(): readonly Unconfirmed[] {
    return this.#sender.unconfirmed
  }

  /** The mark at the checkpoint. */
  get mark(): Mark {
    return this.#mark
  }

  get recording(): boolean {
    return this.#recording
  }

  get missing(): MissingRest | undefined {
    return this.#missing
  }

  /** Everything of it is durable, or can never be had. */
  get done(): boolean {
    return this.#sender.checkpoint >= this.source.sizeBytes && this.#sender.inFlight === undefined
  }

  /** What the sender has decided. */
  decided(sender: SenderState): void {
    this.#sender = sender
  }

  sent(frames: readonly SentFrame[]): void {
    this.#sender = sent(this.#sender, frames)
  }

  beginRecording(): void {
    this.#recording = true
  }

  endRecording(): void {
    this.#recording = false
  }

  missesRest(missing: MissingRest): void {
    this.#missing = missing
  }

  /**
   * Drops the frames before the checkpoint. `held` is the file, where a collector holds more than was read: only there are
   * the bytes before the checkpoint then.
   */
  dropDurable(held: HeldFile | undefined): void {
    const { checkpoint, source } = this
    const mark = this.queue.dropBefore(checkpoint)
    if (mark === 'unread' || source.offset < checkpoint)
      this.#mark = held === undefined ? noMark : markAfter(tailBefore(held, checkpoint))
    else if (mark !== undefined) this.#mark = mark
  }

  /** What must be durable of it before its first frame leaves. */
  record(): StreamRecord {
    const { path, at, group, identity, sizeBytes } = this.source
    const { stream, checkpoint, collector, unconfirmed } = recordOf(this.#sender)
    return {
      ...{ stream, path, at, group, identity, mark: this.#mark, sizeBytes, checkpoint, doubts: [...unconfirmed] },
      ...(collector !== undefined && { collector }),
    }
  }
}
