// From the segments to one sink, in order, up to a durable cursor. What is durable is written at once, so that it is seen at
// once; the sink is flushed now and then, while more is written, and only then the cursor moves. After a crash, or a sink
// that was full, what lies after the cursor is written again: that changes nothing.
//
//   notify() → read a batch at the position → write it to the sink → the position moves
//                                             flush the sink       → the cursor moves, durably

import { EventEmitter } from 'node:events'
import { asError, Background, codeOf, sleep, type Clock, type Log } from '@catchment/runtime'
import type { Disk } from '../segments/disk.ts'
import { BatchReader, type SegmentSource } from './batch-reader.ts'
import { cursorPath, makeCursorDirectory, readCursor, writeCursor, type Cursor } from './cursor.ts'
import type { DeliveryCounters } from './delivery-counters.ts'
import { Quarantine } from './quarantine.ts'
import type { ExpandedFrame, Sink } from './sink.ts'

/** How long written bytes may wait for their flush, and how many. */
export const flushIntervalMs = 200
export const unflushedBytesMax = 128 * 1024 * 1024
const failureRetryMs = 1000

export interface DeliveryOptions {
  /** The data directory: the cursor is kept in its `cursors/`. */
  readonly data: string
  readonly disk: Disk
  readonly store: SegmentSource
  /** Names the sink's cursor. */
  readonly name: string
  readonly sink: Sink
  readonly clock: Clock
  readonly log: Log
  readonly counters: DeliveryCounters
}

export class DeliveryLoop {
  readonly #options: DeliveryOptions
  readonly #events = new EventEmitter<{ moved: [] }>()
  readonly #background: Background
  readonly #quarantine: Quarantine
  readonly #reader: BatchReader
  /** Everything before it is in the sink, durably. */
  #cursor: Cursor
  /** Everything before it has been written. */
  #position: Cursor
  #unflushedBytes = 0
  #unflushedSinceMs: number | undefined
  #flushing: Promise<void> | undefined
  #flushError: Error | undefined
  #wake: (() => void) | undefined

  private constructor(options: DeliveryOptions, cursor: Cursor) {
    const { data, disk, store, name, log, counters } = options
    this.#options = options
    this.#cursor = cursor
    this.#position = cursor
    this.#quarantine = new Quarantine({ data, sink: name, counters, log })
    this.#reader = new BatchReader({ disk, store, quarantine: this.#quarantine, counters, log })
    this.#background = new Background((work, error) => {
      log.error(`${work} ended`, { sink: name, reason: error.stack })
    })
  }

  /** The sink is the loop's from then on: it is closed with the loop. */
  static async open(options: DeliveryOptions): Promise<DeliveryLoop> {
    await makeCursorDirectory(options.data)
    return new DeliveryLoop(options, await readCursor(cursorPath(options.data, options.name), options.log))
  }

  /** The cursor has moved, durably: as far as this sink goes, what lies before it may be deleted. */
  onMoved(listener: () => void): void {
    this.#events.on('moved', listener)
  }

  start(): void {
    this.#background.run('delivery', (signal) => this.#run(signal))
  }

  /** More is durable, or may be. */
  notify(): void {
    this.#wake?.()
  }

  get cursor(): Cursor {
    return this.#cursor
  }

  get undeliveredBytes(): number {
    return this.#reader.bytesAfter(this.#cursor)
  }

  /** Resolves when all that is stored is in the sink, or after `graceMs`. True when it is. */
  async drain(graceMs: number): Promise<boolean> {
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + graceMs
    while (this.undeliveredBytes > 0 && clock.monotonicMs() < deadlineMs) {
      this.notify()
      await sleep(clock, 20)
    }
    return this.undeliveredBytes === 0
  }

  async close(): Promise<void> {
    const closed = this.#background.close()
    this.notify()
    await closed
    await this.#flushing
    await this.#options.sink.close()
    await this.#reader.close()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#turn(signal)
  }

  async #turn(signal: AbortSignal): Promise<void> {
    try {
      if (this.#flushError !== undefined) throw this.#flushError
      const batch = await this.#reader.read(this.#position)
      if (batch === undefined) await this.#idle(signal)
      else {
        await this.#write(batch.frames)
        this.#position = batch.end
      }
      if (this.#flushDue()) this.#flush()
      if (this.#unflushedBytes > 2 * unflushedBytesMax) await this.#flushing
    } catch (thrown) {
      if (!signal.aborted) await this.#startOver(asError(thrown), signal)
    }
  }

  async #write(frames: readonly ExpandedFrame[]): Promise<void> {
    for (const { frame, error } of await this.#options.sink.write(frames))
      await this.#quarantine.add(frame.header, error.message)
    const rawBytes = frames.reduce((sum, frame) => sum + (frame.kind === 'bytes' ? frame.raw.length : 0), 0)
    this.#options.counters.rawBytes.add(rawBytes)
    this.#unflushedBytes += rawBytes
    this.#unflushedSinceMs ??= this.#options.clock.monotonicMs()
  }

  #flushDue(): boolean {
    if (this.#unflushedSinceMs === undefined || this.#flushing !== undefined) return false
    const waitedMs = this.#options.clock.monotonicMs() - this.#unflushedSinceMs
    return waitedMs >= flushIntervalMs || this.#unflushedBytes >= unflushedBytesMax
  }

  /** In the background: a flush of what was just written takes long, and new lines are to be seen meanwhile. */
  #flush(): void {
    const reached = this.#position
    this.#unflushedBytes = 0
    this.#unflushedSinceMs = undefined
    this.#flushing = this.#flushUpTo(reached).finally(() => {
      this.#flushing = undefined
      this.#wake?.()
    })
  }

  async #flushUpTo(reached: Cursor): Promise<void> {
    const { data, name, sink } = this.#options
    try {
      await sink.flush()
      await writeCursor(cursorPath(data, name), reached)
      this.#cursor = reached
      this.#events.emit('moved')
    } catch (thrown) {
      this.#flushError = asError(thrown)
    }
  }

  /** Waits for more, or until what is written must be flushed. */
  async #idle(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const since = this.#flushing === undefined ? this.#unflushedSinceMs : undefined // its end wakes
    const dueMs = since === undefined ? undefined : since + flushIntervalMs
    await new Promise<void>((resolve) => {
      const timer = dueMs === undefined ? undefined : clock.after(Math.max(0, dueMs - clock.monotonicMs()), resolve)
      this.#wake = () => {
        timer?.cancel()
        resolve()
      }
      if (signal.aborted || this.#reader.hasMore(this.#position) || this.#flushError !== undefined) this.#wake()
    })
    this.#wake = undefined
  }

  /** Back to the cursor: a flush that failed may have dropped any of what was written since. */
  async #startOver(error: Error, signal: AbortSignal): Promise<void> {
    const { name, sink, clock, log, counters } = this.#options
    counters.failures.add()
    const full = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT'
    log.warn(full ? 'the sink has no room; delivery waits' : 'delivery failed; it is tried again', {
      sink: name,
      reason: error.message,
      undeliveredBytes: this.undeliveredBytes,
    })
    await this.#flushing
    this.#flushError = undefined
    await sink.reset()
    this.#position = this.#cursor
    this.#unflushedBytes = 0
    this.#unflushedSinceMs = undefined
    await sleep(clock, failureRetryMs, signal)
  }
}
