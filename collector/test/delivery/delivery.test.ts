import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { decodeFrame, decodeFrameHeader, encodeFrameHeader } from '@catchment/protocol'
import { createMetrics, makePrivateDirectory, realClock } from '@catchment/runtime'
import { deliveryCounters } from '../../src/delivery/delivery-counters.ts'
import { DeliveryLoop } from '../../src/delivery/delivery-loop.ts'
import { realDisk } from '../../src/segments/disk.ts'
import { Mirror } from '../../src/sinks/mirror/mirror.ts'
import { Retention } from '../../src/delivery/retention.ts'
import { Store } from '../../src/segments/store.ts'
import { frame, place, quiet, streamA, streamB, streamBytes, temporary, until } from '../kit.ts'

let folder: Awaited<ReturnType<typeof temporary>>
let store: Store
let delivery: DeliveryLoop
let retention: Retention
let metrics: ReturnType<typeof createMetrics>

beforeEach(async () => {
  folder = await temporary()
  await makePrivateDirectory(join(folder.path, 'segments'))
})

afterEach(async () => {
  await close()
  await folder.remove()
})

async function open(limits: { segmentBytesMax: number; keptBytesMax: number }): Promise<void> {
  metrics = createMetrics()
  const common = { disk: realDisk, data: folder.path, log: quiet, metrics, clock: realClock }
  const dataId = 'd'.repeat(32)
  store = await Store.open({ ...common, ...limits, dataId })
  store.onFailed((error) => {
    throw error
  })
  const sink = await Mirror.open(join(folder.path, 'out'))
  const counters = deliveryCounters(metrics)
  delivery = await DeliveryLoop.open({ ...common, store, name: 'mirror', sink, counters })
  retention = new Retention({ store, delivery, ...limits, log: quiet, metrics })
  store.onDurable(() => {
    delivery.notify()
  })
  delivery.onMoved(() => {
    retention.check()
  })
}

async function close(): Promise<void> {
  await delivery.close()
  await retention.close()
  await store.close()
}

async function put(...frames: Buffer[]): Promise<string[]> {
  const body = Buffer.concat(frames)
  const decoded = []
  for (let offset = 0; offset < body.length; offset = decoded.at(-1)?.end ?? body.length)
    decoded.push(decodeFrameHeader(body, offset))
  return (await store.put(body, decoded)).map(({ outcome }) => outcome)
}

const wide = { segmentBytesMax: 1 << 20, keptBytesMax: 1 << 30 }
const mirrored = (stream: string): Promise<Buffer> => readFile(join(folder.path, 'out', place(stream)))

describe('DeliveryLoop', () => {
  test('delivers what was stored before it started, then what comes, across segments; the cursor outlives it', async () => {
    await open({ ...wide, segmentBytesMax: 2000 })
    for (let from = 0; from < 5000; from += 500) await put(frame({ from, to: from + 500 }))
    delivery.start()
    await put(frame({ from: 5000, to: 6000 }))
    expect(await delivery.drain(5000)).toBe(true)
    expect((await mirrored(streamA)).equals(streamBytes(streamA, 0, 6000))).toBe(true)
    expect(store.segments.length).toBeGreaterThan(2)
    const reached = delivery.cursor
    await close()
    await open(wide)
    expect(delivery.cursor).toEqual(reached)
    expect(delivery.undeliveredBytes).toBe(0)
  })

  test('a frame that cannot be expanded is quarantined, counted and listed; the others are delivered', async () => {
    await open(wide)
    const good = frame({ stream: streamB, from: 0, to: 100 })
    const { header, payloadOffset, end } = decodeFrame(frame({ from: 0, to: 100 }), 0)
    const bomb = frame({ from: 0, to: 5_000_000, path: '/bomb' })
    const payload = bomb.subarray(decodeFrame(bomb, 0).payloadOffset)
    expect(end).toBeGreaterThan(payloadOffset)
    const lying = Buffer.concat([encodeFrameHeader({ ...header, rawBytes: 100 }, payload), payload])
    const foreign = Buffer.concat([
      encodeFrameHeader(
        {
          ...header,
          start: 100,
          beforeCrc: header.afterCrc,
          afterCrc: decodeFrame(frame({ from: 100, to: 200 }), 0).header.afterCrc,
        },
        Buffer.from('no zstd'),
      ),
      Buffer.from('no zstd'),
    ])
    expect(await put(lying, foreign, good, frame({ from: 200, to: 300, newRange: true }))).toEqual([
      'stored',
      'stored',
      'stored',
      'stored',
    ])
    delivery.start()
    expect(await delivery.drain(5000)).toBe(true)
    expect((await mirrored(streamB)).equals(streamBytes(streamB, 0, 100))).toBe(true)
    const expected = Buffer.concat([Buffer.alloc(200), streamBytes(streamA, 200, 300)])
    expect((await mirrored(streamA)).equals(expected)).toBe(true)
    expect(metrics.counters()['frames_quarantined_total']).toBe(2)
    const listed = (await readFile(join(folder.path, 'quarantine.jsonl'), 'utf8')).trim().split('\n')
    expect(listed.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { from: 0, to: 100 },
      { from: 100, to: 200 },
    ])
    expect(await readFile(join(folder.path, 'out', `${place(streamA)}.gaps`), 'utf8')).toMatch(/quarantined/)
    await expect(readFile(join(folder.path, 'out', `${place(streamA)}.missing`))).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })

  test('a mirror that cannot be written delays delivery and nothing else; it goes on by itself', async () => {
    await open(wide)
    await rm(join(folder.path, 'out'), { recursive: true })
    delivery.start()
    expect(await put(frame({ from: 0, to: 100 }))).toEqual(['stored'])
    await until(() => metrics.counters()['delivery_failures_total'] === 1, 'a failure')
    expect(await put(frame({ from: 100, to: 200 }))).toEqual(['stored'])
    await makePrivateDirectory(join(folder.path, 'out'))
    expect(await delivery.drain(5000)).toBe(true)
    expect((await mirrored(streamA)).equals(streamBytes(streamA, 0, 200))).toBe(true)
  })
})

describe('Retention', () => {
  test('deletes the oldest delivered segments, and their ranges still answer after a restart', async () => {
    const limits = { segmentBytesMax: 2000, keptBytesMax: 6000 }
    await open(limits)
    for (let from = 0; from < 20_000; from += 1000) await put(frame({ from, to: from + 1000, plain: true }))
    const stored = store.dataBytes
    retention.check()
    expect(store.dataBytes).toBe(stored)
    delivery.start()
    expect(await delivery.drain(5000)).toBe(true)
    await until(() => store.dataBytes <= 6000, 'room')
    await close()
    await open(limits)
    expect(store.segments[0]?.sequence).toBeGreaterThan(5)
    const [first, last] = [frame({ from: 0, to: 1000, plain: true }), frame({ from: 20_000, to: 20_010 })]
    expect(await put(first, last)).toEqual(['duplicate', 'stored'])
  })

  test('keeps a segment whose ranges are in no durable snapshot, or that is not delivered', async () => {
    await open(wide)
    const removed: string[] = []
    const segments = [{ sequence: 7, path: '/7', bytes: 500 }]
    const full = {
      segments,
      dataBytes: 500,
      snapshotUpTo: 6,
      removeOldest: () => Promise.resolve(void removed.push(segments.shift()?.path ?? '')),
    }
    const delivered = { cursor: { segment: 7, offset: 499 } }
    const options = { keptBytesMax: 100, log: quiet, metrics: createMetrics(), delivery: delivered }
    const checked = new Retention({ ...options, store: full })
    checked.check()
    full.snapshotUpTo = 7
    checked.check()
    delivered.cursor = { segment: 7, offset: 500 }
    full.snapshotUpTo = 6
    checked.check()
    await checked.close()
    expect(removed).toEqual([])
    full.snapshotUpTo = 7
    const again = new Retention({ ...options, metrics: createMetrics(), store: full })
    again.check()
    await again.close()
    expect(removed).toEqual(['/7'])
  })
})
