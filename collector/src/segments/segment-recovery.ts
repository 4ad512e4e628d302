// What a start finds in the segments. Those after the snapshot are scanned: the last one with its payloads, because only
// it may be torn; earlier ones, which were durable before the next was made, by their headers. A torn tail is cut. The
// last segment is fdatasynced before its ranges count as durable: after a SIGKILL its bytes may only be in the page cache,
// and an acknowledgement of a duplicate must be true after a power loss too.

import { join } from 'node:path'
import type { FrameHeader } from '@catchment/protocol'
import type { Log } from '@catchment/runtime'
import type { RangeTable } from '../decide/ranges.ts'
import type { Disk, DiskFile } from './disk.ts'
import { decodeSegmentHeader, segmentHeaderBytes, segmentName, sequenceOf } from './segment-format.ts'
import type { Segment } from './segment-log.ts'
import { damageFields, scanSegment, type DamagedItem } from './segment-scan.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly directory: string
  /** Segments up to this one are in `table` already. */
  readonly coveredUpTo: number
  readonly table: RangeTable
  readonly log: Log
}

export interface RecoveredSegments {
  readonly segments: readonly Segment[]
  /** The last segment, open, to be written further; undefined where there is none that can be. */
  readonly tail: DiskFile | undefined
  readonly frames: number
  readonly corruptBytes: number
  readonly tornBytes: number
}

/** Fills the table. Only the last segment is ever changed: its torn tail is cut. */
export async function recoverSegments(options: RecoveryOptions): Promise<RecoveredSegments> {
  const { disk, directory } = options
  const sequences = (await disk.list(directory))
    .flatMap((name) => sequenceOf(name) ?? [])
    .toSorted((first, second) => first - second)
  const found = { segments: [] as Segment[], frames: 0, corruptBytes: 0, tornBytes: 0 }
  let tail: DiskFile | undefined
  for (const sequence of sequences) {
    const path = join(directory, segmentName(sequence))
    const file = await disk.open(path)
    const bytes = await file.bytes()
    const last = sequence === sequences.at(-1)
    if (last && bytes < segmentHeaderBytes) {
      // made, and killed before its header was durable: nothing was ever acknowledged from it
      await file.close()
      await disk.remove(path)
      await disk.syncDirectory(directory)
      found.tornBytes += bytes
      break
    }
    const segment: Segment = { sequence, path, bytes }
    if (last) {
      found.segments.push(await recoverLast(file, segment, { options, found }))
      // one that a snapshot covers is never written further: the snapshot would miss what came later
      if (sequence > options.coveredUpTo) tail = file
      else await file.close()
    } else {
      found.segments.push(segment)
      if (sequence > options.coveredUpTo) await recoverSealed(file, segment, { options, found })
      await file.close()
    }
  }
  return { ...found, tail }
}

interface RecoveryContext {
  readonly options: RecoveryOptions
  readonly found: { frames: number; corruptBytes: number; tornBytes: number }
}

async function recoverSealed(file: DiskFile, segment: Segment, { options, found }: RecoveryContext): Promise<void> {
  await checkHeader(file, segment, options.log)
  for await (const item of scanSegment(file, { from: segmentHeaderBytes, to: segment.bytes, payloads: false })) {
    if (item.kind === 'frame') takeFrame(item.header, segment, { options, found })
    else reportLoss(item, segment, { options, found })
  }
}

/** The segment as it is without its torn tail. */
async function recoverLast(file: DiskFile, segment: Segment, { options, found }: RecoveryContext): Promise<Segment> {
  let bytes = segment.bytes
  await checkHeader(file, segment, options.log)
  const headers: FrameHeader[] = []
  for await (const item of scanSegment(file, { from: segmentHeaderBytes, to: segment.bytes, payloads: true })) {
    if (item.kind === 'frame') headers.push(item.header)
    else if (item.kind === 'damaged') reportLoss(item, segment, { options, found })
    else {
      found.tornBytes += item.to - item.from
      options.log.warn('a torn tail was cut from the last segment; none of it was acknowledged', {
        path: segment.path,
        from: item.from,
        to: item.to,
      })
      await file.truncate(item.from)
      bytes = item.from
    }
  }
  await file.fdatasync()
  for (const header of headers) takeFrame(header, segment, { options, found })
  return { ...segment, bytes }
}

function takeFrame(header: FrameHeader, segment: Segment, { options, found }: RecoveryContext): void {
  found.frames += 1
  if (segment.sequence > options.coveredUpTo && !options.table.recover(header))
    options.log.error('a frame in a segment repeats bytes that are held already', {
      path: segment.path,
      stream: header.stream,
      start: header.start,
    })
}

function reportLoss(item: DamagedItem, segment: Segment, { options, found }: RecoveryContext): void {
  found.corruptBytes += item.to - item.from
  options.log.error('a segment is corrupt: what was stored there is lost', {
    path: segment.path,
    ...damageFields(item),
  })
}

async function checkHeader(file: DiskFile, segment: Segment, log: Log): Promise<void> {
  const bytes = Buffer.alloc(segmentHeaderBytes)
  await file.read(bytes, 0)
  const header = decodeSegmentHeader(bytes)
  if (header?.sequence !== segment.sequence)
    log.error('the header of a segment is corrupt; its frames are read all the same', { path: segment.path })
}
