// The log of segments: append-only files, one being written. Pipelined group commit: while the fdatasync of batch k runs,
// batch k + 1 is written; an entry is answered after an fdatasync that began when its bytes had been written, never before.
//
//   append() → queue → one writev per batch → written → fdatasync → durable()
//
// A new segment begins when everything before it is durable, so only the last one can have a torn tail. A write that meets
// a full disk is cut back, and it and everything after it in the queue fails with nothing kept. Any other failed write and
// every failed fdatasync is the end: the kernel may have dropped the pages, so a second fdatasync that succeeds proves
// nothing (LWN 752063, "PostgreSQL's fsync() surprise").

import { EventEmitter } from 'node:events'
import { join } from 'node:path'
import { asError, CatchmentError, codeOf } from '@catchment/runtime'
import type { Disk, DiskFile } from './disk.ts'
import { encodeSegmentHeader, segmentHeaderBytes, segmentName } from './segment-format.ts'

/** What one writev takes at most, unless a single entry is larger. */
const batchBytesMax = 8 * 1024 * 1024

export interface AppendEntry {
  readonly buffers: readonly Buffer[]
  readonly bytes: number
  /** Called synchronously when the fdatasync that covers the entry has succeeded. */
  readonly durable: () => void
  /** Called synchronously when nothing of the entry is kept: CatchmentError `no-space` (later it may fit) or `disk-failed`. */
  readonly failed: (error: CatchmentError) => void
}

export interface Segment {
  readonly sequence: number
  readonly path: string
  /** Durable bytes, the header included. */
  readonly bytes: number
}

/** As the log alone sees it: the one writer of its length. */
interface GrowingSegment extends Segment {
  bytes: number
}

export interface SegmentLogOptions {
  readonly disk: Disk
  readonly directory: string
  readonly dataId: string
  /** A segment that has reached it is followed by another. */
  readonly segmentBytesMax: number
  /** The segments that stand, oldest first; the last one is written further if `tail` is its open file. */
  readonly segments: readonly Segment[]
  readonly tail: DiskFile | undefined
  /** Of the next segment: larger than any before it, deleted ones too. */
  readonly nextSequence: number
}

export class SegmentLog {
  readonly #options: SegmentLogOptions
  readonly #events = new EventEmitter<{ failed: [CatchmentError]; sealed: [number]; durable: [] }>()
  readonly #segments: GrowingSegment[]
  #file: DiskFile | undefined
  /** End of what was written to the last segment, durable or not. */
  #end = 0
  #nextSequence: number
  #queue: AppendEntry[] = []
  #queuedBytes = 0
  #written: AppendEntry[] = []
  #syncing: Promise<void> | undefined
  #writing: Promise<void> | undefined
  /** Wakes the writer when the fdatasync that runs has taken what was written ahead of it. */
  #taken: (() => void) | undefined
  #dead: CatchmentError | undefined
  #closed = false

  constructor(options: SegmentLogOptions) {
    this.#options = options
    this.#segments = options.segments.map((segment) => ({ ...segment }))
    this.#file = options.tail
    this.#nextSequence = options.nextSequence
    this.#end = options.tail === undefined ? 0 : (options.segments.at(-1)?.bytes ?? 0)
  }

  /** Oldest first; the last is the one being written. */
  get segments(): readonly Segment[] {
    return this.#segments
  }

  /** Durable bytes of all segments, and what waits to be written. */
  get dataBytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, this.#queuedBytes)
  }

  /** The disk can be trusted no more, and nothing is acknowledged from now on. Emitted once. */
  onFailed(listener: (error: CatchmentError) => void): void {
    this.#events.on('failed', listener)
  }

  /** Everything up to and with this segment is durable, and nothing after it has been written. Emitted synchronously. */
  onSealed(listener: (sequence: number) => void): void {
    this.#events.on('sealed', listener)
  }

  /** More is durable. */
  onDurable(listener: () => void): void {
    this.#events.on('durable', listener)
  }

  append(entry: AppendEntry): void {
    if (this.#dead !== undefined || this.#closed) {
      entry.failed(this.#dead ?? new CatchmentError('disk-failed', 'the segment log is closed', { blame: 'machine' }))
      return
    }
    this.#queue.push(entry)
    this.#queuedBytes += entry.bytes
    this.#writing ??= this.#writeAll()
  }

  /** Deletes the oldest segment. Never the one being written. */
  async removeOldest(): Promise<void> {
    const oldest = this.#segments[0]
    if (oldest === undefined || (this.#segments.length < 2 && this.#file !== undefined)) return
    this.#segments.shift()
    await this.#options.disk.remove(oldest.path)
    await this.#options.disk.syncDirectory(this.#options.directory)
  }

  /** Waits for what was appended, then closes. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
    await this.#syncing
    await this.#file?.close()
    this.#file = undefined
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#queue.length > 0 && this.#dead === undefined) {
        if (this.#written.length > 0) await this.#oneAhead()
        if (this.#file === undefined || this.#end >= this.#options.segmentBytesMax) await this.#beginSegment()
        await this.#writeBatch()
      }
    } catch (thrown) {
      this.#die(asError(thrown))
    } finally {
      this.#writing = undefined
    }
  }

  /** Waits until nothing is written ahead of the fdatasync that runs: one batch ahead, not more. */
  #oneAhead(): Promise<void> {
    return new Promise((resolve) => {
      this.#taken = resolve
    })
  }

  async #writeBatch(): Promise<void> {
    const file = this.#file
    if (file === undefined || this.#dead !== undefined) return
    const batch = this.#takeBatch()
    const bytes = batch.reduce((sum, entry) => sum + entry.bytes, 0)
    const written = await this.#write(file, batch)
    if (written < bytes) {
      await file.truncate(this.#end)
      this.#failAll([...batch, ...this.#queue.splice(0)], noSpace(bytes))
      return
    }
    this.#end += bytes
    this.#written.push(...batch)
    this.#syncing ??= this.#syncAll(file)
  }

  /** The bytes that were written; fewer than the batch has when the disk is full. */
  async #write(file: DiskFile, batch: readonly AppendEntry[]): Promise<number> {
    try {
      return await file.writev(
        batch.flatMap((entry) => entry.buffers),
        this.#end,
      )
    } catch (thrown) {
      const code = codeOf(thrown)
      if (code === 'ENOSPC' || code === 'EDQUOT') return 0
      throw thrown
    }
  }

  #takeBatch(): AppendEntry[] {
    let bytes = 0
    let count = 0
    for (const entry of this.#queue) {
      if (count > 0 && bytes + entry.bytes > batchBytesMax) break
      bytes += entry.bytes
      count += 1
    }
    return this.#queue.splice(0, count)
  }

  async #syncAll(file: DiskFile): Promise<void> {
    try {
      while (this.#written.length > 0) {
        const covered = this.#written.splice(0)
        this.#taken?.()
        await file.fdatasync()
        const bytes = covered.reduce((sum, entry) => sum + entry.bytes, 0)
        const segment = this.#segments.at(-1)
        if (segment !== undefined) segment.bytes += bytes
        this.#queuedBytes -= bytes
        for (const entry of covered) entry.durable()
        this.#events.emit('durable')
      }
    } catch (thrown) {
      this.#die(asError(thrown))
    } finally {
      this.#syncing = undefined
    }
  }

  async #beginSegment(): Promise<void> {
    await this.#syncing
    if (this.#dead !== undefined) return
    const { disk, directory, dataId } = this.#options
    const last = this.#segments.at(-1)
    await this.#file?.close()
    this.#file = undefined
    if (last !== undefined) this.#events.emit('sealed', last.sequence)
    const sequence = this.#nextSequence
    const path = join(directory, segmentName(sequence))
    const file = await this.#created(path, encodeSegmentHeader({ sequence, dataId }))
    if (file === undefined) return
    await disk.syncDirectory(directory)
    this.#file = file
    this.#end = segmentHeaderBytes
    this.#nextSequence += 1
    this.#segments.push({ sequence, path, bytes: segmentHeaderBytes })
  }

  /** The new file with its durable header; undefined when the disk is full, and then the queue has failed. */
  async #created(path: string, header: Buffer): Promise<DiskFile | undefined> {
    const { disk } = this.#options
    let file: DiskFile | undefined
    try {
      file = await disk.create(path)
      if ((await file.writev([header], 0)) === header.length) {
        await file.fdatasync()
        return file
      }
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOSPC' && codeOf(thrown) !== 'EDQUOT') throw thrown
    }
    await file?.close()
    if (file !== undefined) await disk.remove(path)
    this.#failAll(this.#queue.splice(0), noSpace(header.length))
    return undefined
  }

  #failAll(entries: readonly AppendEntry[], error: CatchmentError): void {
    for (const entry of entries) {
      this.#queuedBytes -= entry.bytes
      entry.failed(error)
    }
  }

  /** No entry is answered any more: neither durable nor failed is known to be true. */
  #die(error: Error): void {
    if (this.#dead !== undefined) return
    this.#dead = new CatchmentError(
      'disk-failed',
      `the disk below ${this.#options.directory} failed: ${error.message}. What was not acknowledged is not kept; replace the disk`,
      { blame: 'machine', cause: error },
    )
    this.#queue = []
    this.#written = []
    this.#taken?.()
    this.#events.emit('failed', this.#dead)
  }
}

function noSpace(bytes: number): CatchmentError {
  return new CatchmentError('no-space', `the disk has no room for ${bytes} bytes more`, {
    blame: 'machine',
    retryable: true,
  })
}
