import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { CatchmentError } from '@catchment/runtime'
import { RangeTable } from '../../src/decide/ranges.ts'
import { encodeSegmentHeader, segmentHeaderBytes, segmentName } from '../../src/segments/segment-format.ts'
import { SegmentLog } from '../../src/segments/segment-log.ts'
import { readStoredFrames } from '../../src/segments/segment-reader.ts'
import { recoverSegments } from '../../src/segments/segment-recovery.ts'
import { FakeDisk } from '../fake-disk.ts'
import { frame, listeningLog, quiet, streamA, streamB, temporary, until } from '../kit.ts'
import { mkdir } from 'node:fs/promises'

interface OpenedLog {
  readonly log: SegmentLog
  readonly events: string[]
  readonly fatal: CatchmentError[]
}

function openLog(disk: FakeDisk, segmentBytesMax = 1 << 20): OpenedLog {
  const events: string[] = []
  const fatal: CatchmentError[] = []
  const log = new SegmentLog({
    disk,
    directory: '/s',
    dataId: 'd'.repeat(32),
    segmentBytesMax,
    segments: [],
    tail: undefined,
    nextSequence: 1,
  })
  log.onFailed((error) => fatal.push(error))
  log.onSealed((sequence) => events.push(`sealed ${sequence}`))
  return { log, events, fatal }
}

function append({ log, events }: OpenedLog, name: string, bytes: number): void {
  log.append({
    buffers: [Buffer.alloc(bytes, name)],
    bytes,
    durable: () => events.push(`durable ${name}`),
    failed: ({ code }) => events.push(`failed ${name} ${code}`),
  })
}

describe('SegmentLog', () => {
  test('batch k + 1 is written while the fdatasync of batch k runs, and each is durable after its own', async () => {
    const disk = new FakeDisk()
    const opened = openLog(disk)
    append(opened, 'zero', 10)
    await until(() => opened.events.length === 1, 'the first segment')
    disk.hold()
    disk.calls.length = 0
    append(opened, 'a', 100)
    await until(() => disk.heldSyncs === 1, 'the fdatasync of a')
    append(opened, 'b', 200)
    await until(() => disk.calls.includes('write 200'), 'the write of b')
    append(opened, 'c', 300)
    append(opened, 'd', 400)
    expect(opened.events).toEqual(['durable zero'])
    expect(disk.calls).toEqual(['write 100', 'fdatasync', 'write 200'])
    disk.releaseOne()
    await until(() => disk.calls.includes('write 700'), 'one write of c and d')
    expect(opened.events).toEqual(['durable zero', 'durable a'])
    expect(disk.calls).toEqual(['write 100', 'fdatasync', 'write 200', 'fdatasync', 'write 700'])
    disk.release()
    await opened.log.close()
    expect(opened.events).toEqual(['durable zero', 'durable a', 'durable b', 'durable c', 'durable d'])
  })

  test('a full disk: what did not fit is cut off, fails, and fits later', async () => {
    const disk = new FakeDisk()
    const opened = openLog(disk)
    append(opened, 'a', 100)
    await until(() => opened.events.length === 1, 'a')
    disk.roomBytes = 50
    append(opened, 'b', 200)
    append(opened, 'c', 10)
    await until(() => opened.events.length === 3, 'b and c')
    expect(opened.events.slice(1)).toEqual(['failed b no-space', 'failed c no-space'])
    expect(disk.files.get(join('/s', segmentName(1)))).toHaveLength(segmentHeaderBytes + 100)
    disk.roomBytes = Infinity
    append(opened, 'd', 10)
    await opened.log.close()
    expect(opened.events.at(-1)).toBe('durable d')
    expect(opened.log.dataBytes).toBe(segmentHeaderBytes + 110)
    expect(opened.fatal).toEqual([])
  })

  test('a failed fdatasync is the end: reported once, never tried again, nothing is acknowledged', async () => {
    const disk = new FakeDisk()
    const opened = openLog(disk)
    append(opened, 'a', 100)
    await until(() => opened.events.length === 1, 'a')
    disk.syncError = new Error('EIO')
    append(opened, 'b', 100)
    await until(() => opened.fatal.length === 1, 'the end')
    disk.syncError = undefined
    const syncs = disk.calls.filter((call) => call === 'fdatasync').length
    append(opened, 'c', 100)
    await opened.log.close()
    expect(opened.events).toEqual(['durable a', 'failed c disk-failed'])
    expect(disk.calls.filter((call) => call === 'fdatasync')).toHaveLength(syncs)
    expect(opened.fatal).toMatchObject([{ code: 'disk-failed' }])
  })

  test('a segment is followed by another when it is full, all before durable and its name too', async () => {
    const disk = new FakeDisk()
    const opened = openLog(disk, 150)
    append(opened, 'a', 100)
    await until(() => opened.events.length === 1, 'a')
    disk.calls.length = 0
    append(opened, 'b', 100)
    await until(() => opened.events.includes('durable b'), 'b')
    expect(opened.events).toEqual(['durable a', 'sealed 1', 'durable b'])
    expect(disk.calls).toEqual(['write 64', 'fdatasync', 'syncDirectory', 'write 100', 'fdatasync'])
    await opened.log.removeOldest()
    await opened.log.removeOldest()
    expect(opened.log.segments.map(({ sequence }) => sequence)).toEqual([2])
    await opened.log.close()
  })
})

const pieces = [
  frame({ from: 0, to: 40 }),
  frame({ from: 40, to: 90, plain: true }),
  frame({ stream: streamB, from: 0, to: 33 }),
  frame({ from: 90, to: 120 }),
]
const whole = Buffer.concat([encodeSegmentHeader({ sequence: 1, dataId: 'd'.repeat(32) }), ...pieces])
const ends = pieces.map((_, index) =>
  pieces.slice(0, index + 1).reduce((sum, piece) => sum + piece.length, segmentHeaderBytes),
)

async function recover(
  bytes: Buffer,
  log = quiet,
): Promise<{ disk: FakeDisk; table: RangeTable; found: Awaited<ReturnType<typeof recoverSegments>> }> {
  const disk = new FakeDisk()
  disk.files.set(join('/s', segmentName(1)), Buffer.from(bytes))
  const table = new RangeTable()
  const found = await recoverSegments({ disk, directory: '/s', coveredUpTo: 0, table, log })
  return { disk, table, found }
}

describe('recoverSegments', () => {
  test('a torn tail at every length is cut at the last whole frame, and fdatasynced', async () => {
    for (let bytes = 0; bytes <= whole.length; bytes += 1) {
      const { disk, found } = await recover(whole.subarray(0, bytes))
      const kept = ends.filter((end) => end <= bytes)
      const end = bytes < segmentHeaderBytes ? 0 : (kept.at(-1) ?? segmentHeaderBytes)
      expect({ bytes, frames: found.frames, torn: found.tornBytes }).toEqual({
        bytes,
        frames: kept.length,
        torn: bytes - end,
      })
      expect(disk.files.get(join('/s', segmentName(1)))?.length ?? 0).toBe(end)
      if (bytes >= segmentHeaderBytes) expect(disk.calls.at(-1)).toBe('fdatasync')
    }
  })

  test('one flipped byte anywhere costs its frame alone, and is counted and reported', async () => {
    for (let at = 0; at < whole.length; at += 1) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0x40
      const { log, lines } = listeningLog()
      const { found, table } = await recover(bytes, log)
      const hit = ends.findIndex((end) => at < end)
      if (at < segmentHeaderBytes) {
        expect(found.frames).toBe(4)
        // the zeros between are checked too
        expect(lines.join()).toMatch(/header of a segment is corrupt/)
        continue
      }
      expect({ at, frames: found.frames }).toEqual({ at, frames: 3 })
      expect(found.corruptBytes + found.tornBytes).toBe(pieces[hit]?.length)
      expect(found.corruptBytes > 0).toBe(hit < 3)
      expect(lines.length).toBeGreaterThan(0)
      const lost = [
        [{ from: 40, to: 120 }],
        [
          { from: 0, to: 40 },
          { from: 90, to: 120 },
        ],
        [{ from: 0, to: 120 }],
        [{ from: 0, to: 90 }],
      ]
      expect(table.durableRanges(streamA)).toEqual(lost[hit])
    }
  })

  test('the payload of a torn frame is not searched for frames', async () => {
    const inner = frame({ stream: streamB, from: 0, to: 100 })
    const outer = frame({ from: 0, to: 5000, plain: true })
    inner.copy(outer, outer.length - 5000 + 10)
    const { table, found } = await recover(Buffer.concat([whole, outer.subarray(0, outer.length - 1)]))
    expect(found.frames).toBe(4)
    expect(table.durableRanges(streamB)).toEqual([{ from: 0, to: 33 }])
  })

  test('segments that a snapshot covers are not read, and the last is not written further', async () => {
    const disk = new FakeDisk()
    disk.files.set(join('/s', segmentName(1)), Buffer.from('anything'.repeat(20)))
    disk.files.set(join('/s', segmentName(2)), whole)
    const table = new RangeTable()
    const found = await recoverSegments({ disk, directory: '/s', coveredUpTo: 2, table, log: quiet })
    expect(found.tail).toBeUndefined()
    expect(found.segments).toHaveLength(2)
    expect(table.streams).toBe(0)
  })
})

describe('readStoredFrames', () => {
  test('lists what a data directory holds', async () => {
    const folder = await temporary()
    await mkdir(join(folder.path, 'segments'))
    await writeFile(join(folder.path, 'segments', segmentName(1)), whole.subarray(0, whole.length - 1))
    const found = []
    for await (const one of readStoredFrames(folder.path))
      found.push([one.stream, one.start, one.end, one.group, one.path])
    expect(found).toEqual([
      [streamA, 0, 40, 'web', '/var/log/app.log'],
      [streamA, 40, 90, 'web', '/var/log/app.log'],
      [streamB, 0, 33, 'web', '/var/log/app.log'],
    ])
    await folder.remove()
  })
})
