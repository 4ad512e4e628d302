// For tests and benches: what is stored in a data directory, without a running collector. Nothing is locked or changed; of
// a directory in use it sees what has been written so far.

import { join } from 'node:path'
import type { FrameHeader } from '@catchment/protocol'
import { segmentNames } from './data-directory.ts'
import { realDisk } from './disk.ts'
import { segmentHeaderBytes } from './segment-format.ts'
import { scanSegment } from './segment-scan.ts'

export interface StoredFrame {
  readonly stream: string
  /** The bytes [start, end) of the stream. */
  readonly start: number
  readonly end: number
  readonly group: string
  readonly source: string
  readonly path: string
  readonly gap: boolean
  /** The segment's file name and where the frame begins in it. */
  readonly segment: string
  readonly offset: number
  readonly header: FrameHeader
  /** The payload as it travelled; its checksum holds. */
  readonly payload: Buffer
}

/** Every whole frame of every segment below `<data>/segments`, in the order in which they were stored. */
export async function* readStoredFrames(data: string): AsyncGenerator<StoredFrame> {
  for (const segment of await segmentNames(data)) {
    const file = await realDisk.open(join(data, 'segments', segment))
    try {
      const to = await file.bytes()
      for await (const item of scanSegment(file, { from: segmentHeaderBytes, to, payloads: true })) {
        if (item.kind !== 'frame') continue
        const { header, payload, from } = item
        const { stream, start, group, source, path, gap } = header
        const end = start + header.rawBytes
        yield { stream, start, end, group, source, path, gap, segment, offset: from, header, payload }
      }
    } finally {
      await file.close()
    }
  }
}
