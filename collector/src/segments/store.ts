// Ranges and segments together: a frame is judged, written, made durable and only then answered.

import { join } from 'node:path'
import type { DecodedFrame, FrameResult } from '@catchment/protocol'
import { asError, Background, CatchmentError, type Log, type Metrics } from '@catchment/runtime'
import { RangeTable, type FrameVerdict, type Ticket } from '../decide/ranges.ts'
import type { Disk } from './disk.ts'
import { encodeSnapshot, readSnapshot, writeSnapshot } from './range-snapshot.ts'
import { SegmentLog, type Segment } from './segment-log.ts'
import { recoverSegments } from './segment-recovery.ts'

/** When a full disk is tried again. */
export const noSpaceRetryMs = 1000

export interface StoreOptions {
  readonly disk: Disk
  /** The data directory; it holds `segments/` and `ranges.json`. */
  readonly data: string
  readonly dataId: string
  readonly segmentBytesMax: number
  readonly log: Log
  readonly metrics: Metrics
}

export class Store {
  readonly #options: StoreOptions
  readonly #table: RangeTable
  readonly #log: SegmentLog
  /** Resolves when the frame of a ticket is durable, rejects when it is not kept. */
  readonly #pending = new Map<Ticket, Promise<void>>()
  readonly #background: Background
  readonly #stored
  readonly #duplicates
  #snapshotUpTo: number
  #snapshotWanted: { contents: string; upTo: number } | undefined
  #snapshotWriting = false

  private constructor(options: StoreOptions, opened: { table: RangeTable; log: SegmentLog; snapshotUpTo: number }) {
    this.#options = options
    this.#table = opened.table
    this.#log = opened.log
    this.#snapshotUpTo = opened.snapshotUpTo
    this.#stored = {
      frames: options.metrics.counter('frames_stored_total', 'frames made durable'),
      rawBytes: options.metrics.counter('raw_bytes_stored_total', 'raw log bytes made durable'),
      wireBytes: options.metrics.counter('wire_bytes_stored_total', 'bytes made durable, as they travelled'),
    }
    this.#duplicates = options.metrics.counter('frames_duplicate_total', 'frames whose bytes were held already')
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.message })
    })
    opened.log.onSealed((upTo) => {
      this.#snapshot(upTo)
    })
  }

  /** Recovers what the directory holds. Its `segments/` must exist. */
  static async open(options: StoreOptions): Promise<Store> {
    const { disk, log, metrics } = options
    const directory = join(options.data, 'segments')
    const table = new RangeTable()
    const snapshotUpTo = await readSnapshot(snapshotPath(options.data), table, log)
    const recovered = await recoverSegments({ disk, directory, coveredUpTo: snapshotUpTo, table, log })
    metrics.counter('corrupt_bytes_total', 'bytes of segments that were found damaged').add(recovered.corruptBytes)
    metrics.counter('torn_bytes_total', 'unacknowledged bytes cut from the end of a segment').add(recovered.tornBytes)
    const segments = new SegmentLog({
      disk,
      directory,
      dataId: options.dataId,
      segmentBytesMax: options.segmentBytesMax,
      segments: recovered.segments,
      tail: recovered.tail,
      nextSequence: Math.max(recovered.segments.at(-1)?.sequence ?? 0, snapshotUpTo) + 1,
    })
    const store = new Store(options, { table, log: segments, snapshotUpTo })
    const last = recovered.segments.at(-1)
    if (recovered.tail === undefined && last !== undefined) store.#snapshot(last.sequence)
    return store
  }

  /** The disk can be trusted no more, and nothing is acknowledged from now on. Emitted once. */
  onFailed(listener: (error: CatchmentError) => void): void {
    this.#log.onFailed(listener)
  }

  /** More is durable, and can be read from the segments. */
  onDurable(listener: () => void): void {
    this.#log.onDurable(listener)
  }

  get segments(): readonly Segment[] {
    return this.#log.segments
  }

  get dataBytes(): number {
    return this.#log.dataBytes
  }

  get streams(): number {
    return this.#table.streams
  }

  /** Segments up to this one can be deleted without forgetting their ranges. */
  get snapshotUpTo(): number {
    return this.#snapshotUpTo
  }

  /** The results of frames of one request, in their order, each when what it says is durable. */
  async put(body: Buffer, frames: readonly DecodedFrame[]): Promise<FrameResult[]> {
    const verdicts = frames.map((frame) => this.#table.offer(frame.header))
    const stored = frames.filter((_, index) => verdicts[index]?.kind === 'store')
    const tickets = verdicts.flatMap((verdict) => (verdict.kind === 'store' ? [verdict.ticket] : []))
    if (stored.length > 0) this.#append(body, stored, tickets)
    return Promise.all(
      frames.map((frame, index) => {
        const verdict = verdicts[index]
        if (verdict === undefined) throw new Error('every frame has a verdict')
        return this.#answer(frame, verdict)
      }),
    )
  }

  async removeOldest(): Promise<void> {
    await this.#log.removeOldest()
  }

  async close(): Promise<void> {
    await this.#log.close()
    await this.#background.close()
  }

  /** Every segment up to this one is complete: what it holds goes into the next snapshot. */
  #snapshot(upTo: number): void {
    this.#snapshotWanted = { contents: encodeSnapshot(this.#table, upTo), upTo }
    if (!this.#snapshotWriting) this.#background.run('writing the snapshot of ranges', () => this.#writeSnapshots())
  }

  #append(body: Buffer, frames: readonly DecodedFrame[], tickets: readonly Ticket[]): void {
    const buffers = slices(body, frames)
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    const settled = new Promise<void>((resolve, reject) => {
      this.#log.append({
        buffers,
        bytes,
        durable: () => {
          for (const ticket of tickets) this.#table.commit(ticket)
          this.#stored.frames.add(frames.length)
          this.#stored.wireBytes.add(bytes)
          this.#stored.rawBytes.add(frames.reduce((sum, { header }) => sum + (header.gap ? 0 : header.rawBytes), 0))
          this.#forget(tickets)
          resolve()
        },
        failed: (error) => {
          for (const ticket of tickets) this.#table.abort(ticket)
          this.#forget(tickets)
          reject(error)
        },
      })
    })
    settled.catch(() => undefined) // each of those that wait handles it for itself
    for (const ticket of tickets) this.#pending.set(ticket, settled)
  }

  #forget(tickets: readonly Ticket[]): void {
    for (const ticket of tickets) this.#pending.delete(ticket)
  }

  async #answer(frame: DecodedFrame, verdict: FrameVerdict): Promise<FrameResult> {
    const { stream, start } = frame.header
    try {
      const waitFor = verdict.kind === 'store' ? [verdict.ticket] : verdict.waitFor
      await Promise.all(waitFor.map((ticket) => this.#pending.get(ticket) ?? Promise.resolve()))
    } catch (thrown) {
      if (!(thrown instanceof CatchmentError) || thrown.code !== 'no-space') throw asError(thrown)
      return { stream, start, outcome: 'no-space', status: 507, retryAfterMs: noSpaceRetryMs }
    }
    if (verdict.kind === 'duplicate') this.#duplicates.add()
    return this.#table.result(frame.header, verdict)
  }

  /** One at a time, always the newest: a seal during a write makes another one follow. */
  async #writeSnapshots(): Promise<void> {
    this.#snapshotWriting = true
    try {
      for (let next = this.#snapshotWanted; next !== undefined; next = this.#snapshotWanted) {
        this.#snapshotWanted = undefined
        await writeSnapshot(snapshotPath(this.#options.data), next.contents)
        this.#snapshotUpTo = next.upTo
      }
    } finally {
      this.#snapshotWriting = false
    }
  }
}

function snapshotPath(data: string): string {
  return join(data, 'ranges.json')
}

/** The frames' bytes in the body, neighbours as one. */
function slices(body: Buffer, frames: readonly DecodedFrame[]): Buffer[] {
  const bounds: { from: number; to: number }[] = []
  for (const { offset, end } of frames) {
    const last = bounds.at(-1)
    if (last?.to === offset) last.to = end
    else bounds.push({ from: offset, to: end })
  }
  return bounds.map(({ from, to }) => body.subarray(from, to))
}
