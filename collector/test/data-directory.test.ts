// A data directory that an earlier program has written goes on: nothing is lost, nothing is delivered twice. What stands in
// the fixture says fixtures/README.md.

import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openSession } from '@catchment/coordination'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import { decodeFrame, emptyCollectorList, encodeFrameHeader, encodeZnode, treePaths } from '@catchment/protocol'
import { realClock, realRandom } from '@catchment/runtime'
import { Assignment } from '../src/cluster/assignment.ts'
import { startCollector, type RunningCollector } from '../src/collector.ts'
import { realDisk } from '../src/segments/disk.ts'
import { readStoredFrames } from '../src/segments/segment-reader.ts'
import { frame, place, quiet, FrameSender, streamA, streamB, streamBytes, temporary, until } from './kit.ts'

const fixture = join(import.meta.dirname, 'fixtures/data-directory-1')
const list = { ...emptyCollectorList, epoch: 3, owned: { web: { since: 3, load: 0 } } }

let zookeeper: ZookeeperServer
let folder: Awaited<ReturnType<typeof temporary>>
let data: string
let collector: RunningCollector | undefined
let sender: FrameSender | undefined

beforeEach(async () => {
  folder = await temporary()
  data = join(folder.path, 'data')
  await cp(fixture, data, { recursive: true })
  zookeeper = await startServer({ listen: { host: '127.0.0.1', port: 0 }, clock: realClock, random: realRandom })
  const servers = `127.0.0.1:${zookeeper.port}`
  const session = await openSession({ servers, sessionTimeoutMs: 4000, clock: realClock, random: realRandom })
  await session.ensurePath(treePaths('/logs').collector('c1'))
  await session.set(treePaths('/logs').collector('c1'), encodeZnode(list), 'any')
  await session.close()
})

afterEach(async () => {
  await stop()
  await zookeeper.close()
  await folder.remove()
})

async function start(): Promise<FrameSender> {
  collector = await startCollector(
    {
      zookeeper: `127.0.0.1:${zookeeper.port}`,
      ...{ root: '/logs', id: 'c1', listen: '127.0.0.1:0', advertise: undefined, insecure: false },
      ...{ data, mirror: undefined, zone: 'default', capacity: 50_000_000, sessionTimeout: 2000, diskMax: 1 << 30 },
    },
    { clock: realClock, random: realRandom, log: quiet, disk: realDisk },
  )
  sender = new FrameSender(collector.url)
  return sender
}

async function stop(): Promise<void> {
  await sender?.close()
  await collector?.stop()
  sender = collector = undefined
}

async function deliveredBytes(from: FrameSender): Promise<number> {
  const { counters, disk } = JSON.parse((await from.get('/v1/status')).body.toString()) as {
    counters: Record<string, number>
    disk: { undeliveredBytes: number }
  }
  return disk.undeliveredBytes > 0 ? -1 : (counters['raw_bytes_delivered_total'] ?? 0)
}

const json = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(data, name), 'utf8')) as unknown
const lines = async (): Promise<string[]> =>
  (await readFile(join(data, 'quarantine.jsonl'), 'utf8')).trimEnd().split('\n')

describe('a data directory of 28 November 2026', () => {
  test('identity.json: the data id stays, and the starts are counted on', async () => {
    await start()
    expect(await json('identity.json')).toEqual({ version: 1, dataId: '477da5cd23176b60cf4c4227d2f72698', starts: 3 })
  })

  test('cursor.json becomes the cursor of the mirror: what lies after it is delivered, and nothing else', async () => {
    const from = await start()
    await until(async () => (await deliveredBytes(from)) >= 0, 'the delivery')
    expect(await deliveredBytes(from)).toBe(300)
    const expected = streamBytes(streamA, 0, 9300)
    expected.fill(0, 9000, 9100)
    expect((await readFile(join(data, 'out', place(streamA)))).equals(expected)).toBe(true)
    expect((await readFile(join(data, 'out', place(streamB)))).equals(streamBytes(streamB, 0, 1000))).toBe(true)
    await stop()
    expect(await json('cursors/mirror.json')).toEqual({ version: 1, segment: 7, offset: 752 })
    expect(await readdir(data)).not.toContain('cursor.json')
    expect(await deliveredBytes(await start())).toBe(0)
  })

  test('ranges.json: what stood in a deleted segment is known, and not stored again', async () => {
    const to = await start()
    const { results } = await to.send([frame({ from: 0, to: 500, plain: true })], { epoch: 3 })
    expect(results).toMatchObject([{ outcome: 'duplicate', durable: { from: 0, to: 9300 } }])
  })

  test('segments: what stands in them is known, and the last one is written further', async () => {
    const to = await start()
    const frames = [frame({ from: 9100, to: 9300 }), frame({ from: 9300, to: 9400 })]
    expect((await to.send(frames, { epoch: 3 })).results).toMatchObject([
      { outcome: 'duplicate' },
      { outcome: 'stored', durable: { from: 0, to: 9400 } },
    ])
    await stop()
    const stored = []
    for await (const { stream, segment, start: first, end } of readStoredFrames(data))
      if (stream === streamA && first >= 9000) stored.push([segment.at(-1), first, end])
    expect(stored).toEqual([
      ['7', 9000, 9100],
      ['7', 9100, 9300],
      ['7', 9300, 9400],
    ])
  })

  test('assignment.json: the last known list is served from it, and a newer one is kept there', async () => {
    const options = { data, clock: realClock, log: quiet, refresh: () => Promise.resolve(list) }
    const assignment = new Assignment(options)
    await assignment.load()
    expect(assignment.list).toEqual(list)
    assignment.apply({ ...list, epoch: 4 })
    await assignment.close()
    const again = new Assignment(options)
    await again.load()
    expect(again.list.epoch).toBe(4)
    expect(await json('assignment.json')).toEqual({ version: 1, ...list, epoch: 4 })
  })

  test('quarantine.jsonl: what is listed stays, and more is added', async () => {
    const to = await start()
    const before = await lines()
    const { header } = decodeFrame(frame({ from: 9300, to: 9400 }), 0)
    const payload = Buffer.from('no zstd')
    await to.send([Buffer.concat([encodeFrameHeader(header, payload), payload])], { epoch: 3 })
    await until(async () => (await lines()).length === 2, 'the second line')
    expect((await lines())[0]).toBe(before[0])
    expect(JSON.parse((await lines())[1] ?? '')).toMatchObject({
      stream: streamA,
      from: 9300,
      to: 9400,
      sink: 'mirror',
    })
  })
})
