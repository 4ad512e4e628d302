// From the segments to the mirror, in order, behind a durable cursor. What is durable is written at once, so that it is
// seen at once; the files are fdatasynced now and then, while more is written, and only then the cursor moves. After a
// crash, or a disk that was full, what lies behind the cursor is written again: that changes nothing.

import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FrameHeader } from '@catchment/protocol'
import { asError, Background, codeOf, sleep, type Clock, type Log, type Metrics } from '@catchment/runtime'
import { readCursor, writeCursor, type Cursor } from './cursor.ts'
import { Arena } from './arena.ts'
import type { Disk, DiskFile } from '../segments/disk.ts'
import { Expander, type PackedFrame } from './expander.ts'
import type { Delivery, Mirror } from '../sinks/mirror/mirror.ts'
import { segmentHeaderBytes } from '../segments/segment-format.ts'
import type { Segment } from '../segments/segment-log.ts'
import { lostRange } from '../segments/segment-recovery.ts'
import { scanSegment, type ScanItem } from '../segments/segment-scan.ts'

/** Raw bytes that are expanded and written together; a last frame may pass it. */
const batchRawBytesMax = 4 * 1024 * 1024
/** What of a segment is read for one batch, into the same memory every time; a batch that needs more gets fresh memory. */
const readBytesMax = 8 * 1024 * 1024
/** How long written bytes may wait for their fdatasync, and how many. */
export const flushIntervalMs = 200
export const unflushedBytesMax = 128 * 1024 * 1024
const failureRetryMs = 1000

/** What stands in a segment, before it is expanded; undefined where nobody knows what was lost. */
type Found = (Delivery & { kind: 'gap' }) | (PackedFrame & { kind: 'packed'; place: string }) | undefined

export interface DeliveryOptions {
  readonly data: string
  readonly disk: Disk
  readonly mirror: Mirror
  /** The segments as they are now, oldest first. */
  readonly segments: () => readonly Segment[]
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** The cursor has moved, durably: what lies before it may be deleted. */
  readonly onDelivered: () => void
}

export class DeliveryLoop {
  readonly #options: DeliveryOptions
  readonly #background: Background
  readonly #expander = new Expander()
  readonly #read = new Arena(readBytesMax)
  readonly #delivered
  readonly #corrupt
  readonly #quarantined
  readonly #failures
  /** Everything before it is in the mirror, durably. */
  #cursor: Cursor
  /** Everything before it has been written. */
  #position: Cursor
  #unflushedBytes = 0
  #unflushedSinceMs: number | undefined
  #flushing: Promise<void> | undefined
  #flushError: Error | undefined
  #wake: (() => void) | undefined
  #file: { readonly sequence: number; readonly handle: DiskFile } | undefined

  private constructor(options: DeliveryOptions, cursor: Cursor) {
    this.#options = options
    this.#cursor = cursor
    this.#position = cursor
    const { metrics } = options
    this.#delivered = metrics.counter('raw_bytes_delivered_total', 'raw log bytes written to the mirror')
    this.#corrupt = metrics.counter(
      'delivery_corrupt_bytes_total',
      'bytes of segments found damaged on the way to a sink',
    )
    this.#quarantined = metrics.counter('frames_quarantined_total', 'frames that could not be delivered')
    this.#failures = metrics.counter('delivery_failures_total', 'times that delivery began anew at its cursor')
    metrics.gauge('undelivered_bytes', 'stored bytes that are not in the mirror yet', () => this.undeliveredBytes)
    this.#background = new Background((name, error) => {
      options.log.error(`${name} ended`, { reason: error.stack })
    })
  }

  static async open(options: DeliveryOptions): Promise<DeliveryLoop> {
    return new DeliveryLoop(options, await readCursor(options.data, options.log))
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
    return this.#options.segments().reduce((sum, segment) => sum + remainder(segment, this.#cursor), 0)
  }

  /** Resolves when all that is stored is in the mirror, or after `graceMs`. True when it is. */
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
    await this.#file?.handle.close()
    await this.#options.mirror.reset()
    await this.#expander.close()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#turn(signal)
  }

  async #turn(signal: AbortSignal): Promise<void> {
    try {
      if (this.#flushError !== undefined) throw this.#flushError
      if (!(await this.#deliverSome())) await this.#idle(signal)
      if (this.#flushDue()) this.#flush()
      if (this.#unflushedBytes > 2 * unflushedBytesMax) await this.#flushing
    } catch (thrown) {
      if (!signal.aborted) await this.#startOver(asError(thrown), signal)
    }
  }

  /** Back to the cursor: a failed fdatasync may have dropped any of what was written since. */
  async #startOver(error: Error, signal: AbortSignal): Promise<void> {
    this.#failures.add()
    const full = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT'
    this.#options.log.warn(full ? 'the mirror has no room; delivery waits' : 'delivery failed; it is tried again', {
      reason: error.message,
      undeliveredBytes: this.undeliveredBytes,
    })
    await this.#flushing
    this.#flushError = undefined
    await this.#options.mirror.reset()
    this.#position = this.#cursor
    this.#unflushedBytes = 0
    this.#unflushedSinceMs = undefined
    await sleep(this.#options.clock, failureRetryMs, signal)
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
      if (signal.aborted || this.#next() !== undefined || this.#flushError !== undefined) this.#wake()
    })
    this.#wake = undefined
  }

  /** The segment that holds bytes behind the position, and the first of them. */
  #next(): { segment: Segment; from: number } | undefined {
    for (const segment of this.#options.segments())
      if (remainder(segment, this.#position) > 0)
        return { segment, from: segment.bytes - remainder(segment, this.#position) }
    return undefined
  }

  /** Writes one batch. False when there is nothing to write. */
  async #deliverSome(): Promise<boolean> {
    const next = this.#next()
    if (next === undefined) return false
    const { segment, from } = next
    const file = await this.#open(segment)
    const to = segment.bytes // it grows meanwhile
    const batch: Found[] = []
    let rawBytes = 0
    this.#read.reset() // the batch before has been written
    for await (const item of scanSegment(file, { from, to, payloads: true, memory: this.#read })) {
      batch.push(item.kind === 'frame' ? this.#frame(item, segment) : this.#damaged(item, segment))
      if (item.kind === 'frame' && !item.header.gap) rawBytes += item.header.rawBytes
      if (rawBytes >= batchRawBytesMax || item.to === to) {
        await this.#write(await this.#expand(batch))
        this.#position = { segment: segment.sequence, offset: item.to }
        break
      }
    }
    return true
  }

  async #write(batch: readonly Delivery[]): Promise<void> {
    for (const { delivery, error } of await this.#options.mirror.write(batch))
      await this.#quarantine(delivery.header, error.message)
    const rawBytes = batch.reduce((sum, one) => sum + (one.kind === 'bytes' ? one.raw.length : 0), 0)
    this.#delivered.add(rawBytes)
    this.#unflushedBytes += rawBytes
    this.#unflushedSinceMs ??= this.#options.clock.monotonicMs()
  }

  #frame({ header, payload, from }: ScanItem & { kind: 'frame' }, segment: Segment): Found {
    if (header.gap) return { kind: 'gap', header, reason: payload.toString('utf8') }
    return { kind: 'packed', header, payload, place: `the frame at ${from} of ${segment.path}` }
  }

  /** A frame that cannot be expanded becomes a gap. */
  async #expand(found: readonly Found[]): Promise<Delivery[]> {
    const results = (await this.#expander.expandAll(found.filter((one) => one?.kind === 'packed'))).values()
    const deliveries: Delivery[] = []
    for (const one of found) {
      if (one === undefined) continue
      if (one.kind === 'gap') {
        deliveries.push(one)
        continue
      }
      const { header, place } = one
      const raw = results.next().value
      if (Buffer.isBuffer(raw)) deliveries.push({ kind: 'bytes', header, raw })
      else {
        await this.#quarantine(header, `${place} cannot be expanded: ${raw?.message ?? 'nothing was said of it'}`)
        deliveries.push({ kind: 'gap', header, reason: 'quarantined by the collector: it cannot be expanded' })
      }
    }
    return deliveries
  }

  #damaged(item: ScanItem & { kind: 'damaged' | 'torn' }, segment: Segment): Found {
    this.#corrupt.add(item.to - item.from)
    this.#options.log.error('a segment is corrupt: what was stored there is not delivered', {
      path: segment.path,
      from: item.from,
      to: item.to,
      lost: item.header === undefined ? 'not known: the header is corrupt' : lostRange(item.header),
    })
    if (item.header === undefined) return undefined
    return { kind: 'gap', header: item.header, reason: 'lost: the segment that held it is corrupt' }
  }

  /** Counted, logged and listed in `quarantine.jsonl` of the data directory. */
  async #quarantine(header: FrameHeader, reason: string): Promise<void> {
    this.#quarantined.add()
    this.#options.log.error('a frame could not be delivered', { ...lostRange(header), reason })
    const line = `${JSON.stringify({ ...lostRange(header), source: header.source, path: header.path, reason })}\n`
    await appendFile(join(this.#options.data, 'quarantine.jsonl'), line, { mode: 0o600 })
  }

  async #open(segment: Segment): Promise<DiskFile> {
    if (this.#file?.sequence === segment.sequence) return this.#file.handle
    await this.#file?.handle.close()
    this.#file = undefined
    const handle = await this.#options.disk.open(segment.path)
    this.#file = { sequence: segment.sequence, handle }
    return handle
  }

  #flushDue(): boolean {
    if (this.#unflushedSinceMs === undefined || this.#flushing !== undefined) return false
    const waitedMs = this.#options.clock.monotonicMs() - this.#unflushedSinceMs
    return waitedMs >= flushIntervalMs || this.#unflushedBytes >= unflushedBytesMax
  }

  /** In the background: fdatasync of a file that was just written takes long, and new lines are to be seen meanwhile. */
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
    try {
      await this.#options.mirror.flush()
      await writeCursor(this.#options.data, reached)
      this.#cursor = reached
      this.#options.onDelivered()
    } catch (thrown) {
      this.#flushError = asError(thrown)
    }
  }
}

/** Bytes of a segment that lie behind a position. */
function remainder(segment: Segment, position: Cursor): number {
  if (segment.sequence < position.segment) return 0
  const from =
    segment.sequence === position.segment ? Math.max(segmentHeaderBytes, position.offset) : segmentHeaderBytes
  return Math.max(0, segment.bytes - from)
}
