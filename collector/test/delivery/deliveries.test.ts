import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { decodeFrameHeader } from '@catchment/protocol'
import { createMetrics, makePrivateDirectory, realClock } from '@catchment/runtime'
import { cursorPath, firstCursor, type Cursor } from '../../src/delivery/cursor.ts'
import { Deliveries } from '../../src/delivery/deliveries.ts'
import { Retention } from '../../src/delivery/retention.ts'
import type { Sink } from '../../src/delivery/sink.ts'
import { realDisk } from '../../src/segments/disk.ts'
import { Store } from '../../src/segments/store.ts'
import { Mirror } from '../../src/sinks/mirror/mirror.ts'
import { frame, place, quiet, streamA, streamBytes, temporary, until } from '../kit.ts'
import { RecordingSink } from './recording-sink.ts'

const keptBytesMax = 6000

let folder: Awaited<ReturnType<typeof temporary>>
let store: Store
let recording: RecordingSink
let deliveries: Deliveries
let retention: Retention

beforeEach(async () => {
  folder = await temporary()
  await makePrivateDirectory(join(folder.path, 'segments'))
  await open()
})

afterEach(async () => {
  await close()
  await folder.remove()
})

async function open(): Promise<void> {
  const metrics = createMetrics()
  const common = { disk: realDisk, data: folder.path, log: quiet, metrics, clock: realClock }
  store = await Store.open({ ...common, dataId: 'd'.repeat(32), segmentBytesMax: 2000 })
  recording = new RecordingSink()
  const mirror = await Mirror.open(join(folder.path, 'out'))
  const sinks = new Map<string, Sink>([
    ['mirror', mirror],
    ['recording', recording],
  ])
  deliveries = await Deliveries.open({ ...common, store, sinks })
  retention = new Retention({ store, delivery: deliveries, keptBytesMax, log: quiet, metrics })
  store.onDurable(() => {
    deliveries.notify()
  })
  deliveries.onMoved(() => {
    retention.check()
  })
}

async function close(): Promise<void> {
  await deliveries.close()
  await retention.close()
  await store.close()
}

async function put(from: number, to: number): Promise<void> {
  const body = frame({ from, to, plain: true })
  const [result] = await store.put(body, [decodeFrameHeader(body, 0)])
  expect(result?.outcome).toBe('stored')
}

const mirrored = (): Promise<Buffer> => readFile(join(folder.path, 'out', place(streamA))).catch(() => Buffer.alloc(0))
const cursorOf = async (sink: string): Promise<Partial<Cursor>> =>
  JSON.parse(await readFile(cursorPath(folder.path, sink), 'utf8').catch(() => '{}')) as Partial<Cursor>
const end = (): Cursor => {
  const last = store.segments.at(-1)
  return { segment: last?.sequence ?? 0, offset: last?.bytes ?? 0 }
}

/** What the recording sink holds durably of stream A; throws where a byte is missing or stands twice. */
function recorded(): Buffer {
  let reached = recording.durable[0]?.from ?? 0
  for (const { from, to } of recording.durable) {
    if (from !== reached) throw new Error(`a frame begins at ${from} and not at ${reached}`)
    reached = to
  }
  return Buffer.concat(recording.durable.flatMap(({ bytes }) => bytes ?? []))
}

describe('Deliveries', () => {
  test('a sink that fails holds up itself and retention, and no other sink; each goes on at its own cursor', async () => {
    recording.writeError = new Error('away')
    deliveries.start()
    for (let from = 0; from < 20_000; from += 1000) await put(from, from + 1000)
    await until(async () => (await mirrored()).length === 20_000, 'the mirror')
    await until(async () => (await cursorOf('mirror')).segment === end().segment, 'the cursor of the mirror')
    await expect(stat(cursorPath(folder.path, 'recording'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect(deliveries.cursor).toEqual(firstCursor)
    expect(deliveries.undeliveredBytes).toBeGreaterThan(20_000)
    retention.check()
    expect(store.segments[0]?.sequence).toBe(1)
    expect(recording.durable).toEqual([])
    recording.writeError = undefined
    expect(await deliveries.drain(10_000)).toBe(true)
    expect(recorded().equals(streamBytes(streamA, 0, 20_000))).toBe(true)
    expect(await cursorOf('recording')).toEqual(await cursorOf('mirror'))
    await until(() => store.dataBytes <= keptBytesMax, 'room')
  })

  test('after a restart each sink gets what it lacks, and nothing that it has', async () => {
    deliveries.start()
    await put(0, 1000)
    expect(await deliveries.drain(10_000)).toBe(true)
    recording.writeError = new Error('away')
    await put(1000, 2000)
    await until(async () => (await mirrored()).length === 2000, 'the mirror')
    await until(async () => (await cursorOf('mirror')).offset === end().offset, 'the cursor of the mirror')
    const former = recording
    await close()
    expect(former.closed).toBe(true)
    await open()
    expect(deliveries.cursor).toEqual(await cursorOf('recording').then(({ segment, offset }) => ({ segment, offset })))
    deliveries.start()
    await put(2000, 2500)
    expect(await deliveries.drain(10_000)).toBe(true)
    expect(recording.durable.map(({ from, to }) => [from, to])).toEqual([
      [1000, 2000],
      [2000, 2500],
    ])
  })

  test('after a flush that failed a sink is reset, and everything since its cursor comes again', async () => {
    recording.flushError = new Error('not durable')
    deliveries.start()
    await put(0, 1000)
    await until(() => recording.flushError === undefined, 'the flush')
    await put(1000, 2000)
    expect(await deliveries.drain(10_000)).toBe(true)
    expect(recorded().equals(streamBytes(streamA, 0, 2000))).toBe(true)
  })
})
