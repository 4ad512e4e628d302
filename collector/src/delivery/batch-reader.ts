// Reads what is durable in the segments, a batch at a time, and expands it. What cannot be read or expanded becomes a gap
// in its stream: offsets stay contiguous, and a sink learns what was lost.

import type { Log } from '@catchment/runtime'
import { Arena } from '../segments/arena.ts'
import type { Disk, DiskFile } from '../segments/disk.ts'
import { segmentHeaderBytes } from '../segments/segment-format.ts'
import type { Segment } from '../segments/segment-log.ts'
import { damageFields, scanSegment, type DamagedItem, type ScanItem } from '../segments/segment-scan.ts'
import type { Cursor } from './cursor.ts'
import type { DeliveryCounters } from './delivery-counters.ts'
import { Expander, type PackedFrame } from './expander.ts'
import type { Quarantine } from './quarantine.ts'
import type { ExpandedFrame } from './sink.ts'

/** Raw bytes that are expanded and written together; a last frame may pass it. */
const batchRawBytesMax = 4 * 1024 * 1024
/** What of a segment is read for one batch, into the same memory every time; a batch that needs more gets fresh memory. */
const readBytesMax = 8 * 1024 * 1024

/** What stands in a segment, before it is expanded. */
type StoredItem = (ExpandedFrame & { kind: 'gap' }) | (PackedFrame & { kind: 'packed'; place: string })

/** The segments as they are at the moment, oldest first. */
export interface SegmentSource {
  readonly segments: readonly Segment[]
}

export interface DeliveryBatch {
  /** Valid until the next batch is read. */
  readonly frames: readonly ExpandedFrame[]
  /** Up to where it was read. */
  readonly end: Cursor
}

export interface BatchReaderOptions {
  readonly disk: Disk
  readonly store: SegmentSource
  readonly quarantine: Quarantine
  readonly counters: Pick<DeliveryCounters, 'corruptBytes'>
  readonly log: Log
}

export class BatchReader {
  readonly #options: BatchReaderOptions
  readonly #expander = new Expander()
  readonly #memory = new Arena(readBytesMax)
  #file: { readonly sequence: number; readonly handle: DiskFile } | undefined

  constructor(options: BatchReaderOptions) {
    this.#options = options
  }

  /** Durable bytes after a position. */
  bytesAfter(position: Cursor): number {
    return this.#options.store.segments.reduce((sum, segment) => sum + remainder(segment, position), 0)
  }

  hasMore(position: Cursor): boolean {
    return this.#options.store.segments.some((segment) => remainder(segment, position) > 0)
  }

  /** The batch that begins at a position; undefined when nothing after it is durable yet. */
  async read(position: Cursor): Promise<DeliveryBatch | undefined> {
    const segment = this.#options.store.segments.find((one) => remainder(one, position) > 0)
    if (segment === undefined) return undefined
    const to = segment.bytes // it grows meanwhile
    const from = to - remainder(segment, position)
    const file = await this.#open(segment)
    const items: StoredItem[] = []
    let rawBytes = 0
    let end = from
    this.#memory.reset() // the batch before has been written
    for await (const item of scanSegment(file, { from, to, payloads: true, memory: this.#memory })) {
      const stored = item.kind === 'frame' ? storedItem(item, segment) : this.#damaged(item, segment)
      if (stored !== undefined) items.push(stored)
      end = item.to
      if (stored?.kind === 'packed') rawBytes += stored.header.rawBytes
      if (rawBytes >= batchRawBytesMax) break
    }
    return { frames: await this.#expand(items), end: { segment: segment.sequence, offset: end } }
  }

  async close(): Promise<void> {
    await this.#file?.handle.close()
    await this.#expander.close()
  }

  /** A frame that cannot be expanded becomes a gap. */
  async #expand(items: readonly StoredItem[]): Promise<ExpandedFrame[]> {
    const results = (await this.#expander.expandAll(items.filter((item) => item.kind === 'packed'))).values()
    const frames: ExpandedFrame[] = []
    for (const item of items) {
      if (item.kind === 'gap') {
        frames.push(item)
        continue
      }
      const { header, place } = item
      const raw = results.next().value
      if (Buffer.isBuffer(raw)) frames.push({ kind: 'bytes', header, raw })
      else {
        const reason = `${place} cannot be expanded: ${raw?.message ?? 'no reason is known'}`
        await this.#options.quarantine.add(header, reason)
        frames.push({ kind: 'gap', header, reason: 'quarantined by the collector: it cannot be expanded' })
      }
    }
    return frames
  }

  /** Undefined where it is not known what was lost. */
  #damaged(item: DamagedItem, segment: Segment): StoredItem | undefined {
    this.#options.counters.corruptBytes.add(item.to - item.from)
    this.#options.log.error('a segment is corrupt: what was stored there is not delivered', {
      path: segment.path,
      ...damageFields(item),
    })
    if (item.header === undefined) return undefined
    return { kind: 'gap', header: item.header, reason: 'lost: the segment that held it is corrupt' }
  }

  async #open(segment: Segment): Promise<DiskFile> {
    if (this.#file?.sequence === segment.sequence) return this.#file.handle
    await this.#file?.handle.close()
    this.#file = undefined
    const handle = await this.#options.disk.open(segment.path)
    this.#file = { sequence: segment.sequence, handle }
    return handle
  }
}

function storedItem({ header, payload, from }: ScanItem & { kind: 'frame' }, segment: Segment): StoredItem {
  if (header.gap) return { kind: 'gap', header, reason: payload.toString('utf8') }
  return { kind: 'packed', header, payload, place: `the frame at ${from} of ${segment.path}` }
}

/** Bytes of a segment that lie after a position. */
function remainder(segment: Segment, position: Cursor): number {
  if (segment.sequence < position.segment) return 0
  const from =
    segment.sequence === position.segment ? Math.max(segmentHeaderBytes, position.offset) : segmentHeaderBytes
  return Math.max(0, segment.bytes - from)
}
