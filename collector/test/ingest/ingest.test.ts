import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { emptyCollectorList, framesPath, requestBytesMax } from '@catchment/protocol'
import { createMetrics, realClock, startHttpServer, type CatchmentError, type HttpServer } from '@catchment/runtime'
import { Assignment } from '../../src/cluster/assignment.ts'
import { LoadMeter } from '../../src/decide/load.ts'
import { Ingest, type IngestOptions } from '../../src/ingest/ingest.ts'
import { segmentName } from '../../src/segments/segment-format.ts'
import { Store } from '../../src/segments/store.ts'
import { FakeDisk } from '../fake-disk.ts'
import { frame, quiet, requestBody, FrameSender, streamA, streamB, temporary, until } from '../kit.ts'

let folder: Awaited<ReturnType<typeof temporary>>
let disk: FakeDisk
let store: Store
let ingest: Ingest
let server: HttpServer
let sender: FrameSender
let fatal: CatchmentError[]
let assignment: Assignment

beforeEach(async () => {
  folder = await temporary()
  disk = new FakeDisk()
  fatal = []
  await open({})
})

afterEach(async () => {
  disk.release()
  await close()
  await folder.remove()
})

async function open(options: Partial<IngestOptions>): Promise<void> {
  const metrics = createMetrics()
  const common = { disk, data: folder.path, dataId: 'd'.repeat(32), segmentBytesMax: 1 << 24, log: quiet, metrics }
  store = await Store.open(common)
  store.onFailed((error) => fatal.push(error))
  const list = { ...emptyCollectorList, epoch: 3, owned: { web: { since: 1, load: 0 } } }
  assignment = new Assignment({ data: folder.path, clock: realClock, log: quiet, refresh: () => Promise.resolve(list) })
  assignment.apply(list)
  assignment.stale = false
  const load = new LoadMeter(0)
  const dataBytesMax = 1 << 30
  ingest = new Ingest({
    id: 'c1',
    store,
    assignment,
    load,
    clock: realClock,
    log: quiet,
    metrics,
    dataBytesMax,
    ...options,
  })
  ingest.open = true
  const rawRoutes = [ingest.route]
  server = await startHttpServer({ listen: '127.0.0.1:0', routes: [], rawRoutes, log: quiet, insecure: false })
  sender = new FrameSender(server.url)
}

async function close(): Promise<void> {
  await sender.close()
  await server.close()
  await store.close()
  await assignment.close()
}

function storedBytes(): number {
  return (disk.files.get(join(folder.path, 'segments', segmentName(1)))?.length ?? 64) - 64
}

/** Writes raw bytes to the HTTP server; resolves with all that came back when the connection has ended. */
function raw(text: string, options: { readonly halfClose?: boolean } = {}): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ port: server.port, host: '127.0.0.1' }, () => {
      socket.write(text)
      if (options.halfClose === true) socket.end()
    })
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve(answer)
    })
  })
}

describe('PUT /v1/frames', () => {
  test('no acknowledgement leaves before the fdatasync, neither of the frame nor of its duplicate', async () => {
    await sender.send([frame({ from: 0, to: 10 })])
    disk.hold()
    const events: string[] = []
    const first = sender
      .send([frame({ from: 10, to: 20 })])
      .then(({ results }) => events.push(`first ${results[0]?.outcome}`))
    await until(() => disk.heldSyncs === 1, 'the fdatasync')
    const second = sender
      .send([frame({ from: 10, to: 15 }), frame({ from: 5, to: 25 })])
      .then(({ results }) => events.push(`second ${results.map(({ outcome }) => outcome).join()}`))
    const other = sender.send([frame({ stream: streamB, from: 0, to: 9 })]).then(() => events.push('other'))
    await until(
      () =>
        storedBytes() > 0 &&
        ingest.inFlightBytes > 0 &&
        disk.calls.filter((call) => call.startsWith('write')).length === 4,
      'the write of the other stream',
    )
    expect(events).toEqual([])
    disk.releaseOne()
    await Promise.all([first, second])
    expect(events.toSorted()).toEqual(['first stored', 'second duplicate,overlap'])
    disk.release()
    await other
  })

  test('several frames of one request see each other', async () => {
    const frames = [
      [0, 10],
      [10, 20],
      [5, 15],
      [15, 30],
      [40, 50],
    ].map(([from = 0, to = 0]) => frame({ from, to }))
    const { results } = await sender.send(frames)
    expect(results.map(({ outcome }) => outcome)).toEqual(['stored', 'stored', 'duplicate', 'overlap', 'expected'])
    expect(results[3]).toMatchObject({ boundary: 20, durable: { from: 0, to: 20 } })
    expect(results[4]).toMatchObject({ expected: 20, durable: { from: 0, to: 20 } })
  })

  test('a full disk: 507 in the result, then 507 before the body, nothing half; it goes on when there is room', async () => {
    await sender.send([frame({ from: 0, to: 10 })])
    const before = storedBytes()
    disk.roomBytes = 20
    const wish = [frame({ from: 10, to: 20 }), frame({ from: 0, to: 5 })]
    const { results } = await sender.send(wish)
    expect(results).toMatchObject([{ outcome: 'no-space', status: 507 }, { outcome: 'duplicate' }])
    expect(storedBytes()).toBe(before)
    const refused = await sender.put(requestBody(wish))
    expect([refused.status, Number(refused.headers['retry-after'])]).toEqual([507, 1])
    disk.roomBytes = Infinity
    await until(async () => (await sender.put(requestBody(wish))).status === 200, 'room')
    expect((await sender.send(wish)).results).toMatchObject([{ outcome: 'duplicate' }, { outcome: 'duplicate' }])
  })

  test('a failed fdatasync ends the process and acknowledges nothing', async () => {
    await sender.send([frame({ from: 0, to: 10 })])
    disk.syncError = new Error('EIO')
    const answer = sender.put(requestBody([frame({ from: 10, to: 20 })]), 300)
    await expect(answer).rejects.toMatchObject({ code: 'timeout' })
    expect(fatal).toMatchObject([{ code: 'disk-failed' }])
    expect((await sender.put(requestBody([frame({ stream: streamB, from: 0, to: 20 })]))).status).toBe(503)
  })

  test('a budget of bytes in flight: 429 with Retry-After before the body is read', async () => {
    await close()
    await open({ inFlightBytesMax: 1000 })
    disk.hold()
    const body = requestBody([frame({ from: 0, to: 10 })])
    const first = sender.put(body)
    await until(() => disk.heldSyncs === 1, 'the first in flight')
    const head = `PUT ${framesPath} HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\nconnection: close\r\n\r\n`
    expect(await raw(head)).toMatch(/^HTTP\/1.1 429[^]*retry-after: 1\r\n/i)
    disk.release()
    expect((await first).status).toBe(200)
    expect(ingest.inFlightBytes).toBe(0)
  })

  test('lengths: none is 411, chunked 411, too large 413, none of it read', async () => {
    const head = `PUT ${framesPath} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n`
    expect(await raw(`${head}\r\n`)).toMatch(/^HTTP\/1.1 411/)
    expect(await raw(`${head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`)).toMatch(/^HTTP\/1.1 411/)
    expect(await raw(`${head}content-length: ${requestBytesMax + 1}\r\n\r\n`)).toMatch(/^HTTP\/1.1 413/)
    expect(ingest.inFlightBytes).toBe(0)
  })

  test('a slow body times out, a cut one is dropped, and both free their memory', async () => {
    await close()
    await open({ bodyTimeoutMs: 50 })
    const head = `PUT ${framesPath} HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\nhalf`
    expect(await raw(head)).toMatch(/^HTTP\/1.1 408/)
    await raw(head, { halfClose: true })
    await until(() => ingest.inFlightBytes === 0, 'the memory')
  })

  test('another agent under the same id is notified that it is superseded', async () => {
    const body = (starts: number, incarnation: string): Buffer => requestBody([], { agent: { starts, incarnation } })
    expect((await sender.put(body(2, 'x'))).status).toBe(200)
    expect((await sender.put(body(2, 'x'))).status).toBe(200)
    for (const other of [body(1, 'x'), body(2, 'y')]) {
      const refused = await sender.put(other)
      expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([
        403,
        { error: { code: 'agent-superseded' } },
      ])
    }
    expect((await sender.put(body(3, 'y'))).status).toBe(200)
  })

  test('a damaged payload and a foreign group are refused for themselves alone', async () => {
    const damaged = frame({ from: 10, to: 20 })
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
    const { results } = await sender.send([
      frame({ from: 0, to: 10 }),
      damaged,
      frame({ stream: streamB, from: 0, to: 9, group: 'db' }),
    ])
    expect(results.map(({ outcome }) => outcome)).toEqual(['stored', 'corrupt', 'misdirected'])
  })

  test('cut, flipped and extended requests are refused or refused in part, never stored, never a crash', async () => {
    const frames = [frame({ from: 0, to: 500 }), frame({ stream: streamB, from: 0, to: 300, plain: true })]
    const body = requestBody(frames)
    const framesAt = body.length - frames.reduce((sum, one) => sum + one.length, 0)
    const wish = fc.record({
      at: fc.nat(body.length - 1),
      how: fc.constantFrom('cut' as const, 'flip' as const, 'extend' as const),
      bit: fc.nat(7),
    })
    await fc.assert(
      fc.asyncProperty(wish, async ({ at, how, bit }) => {
        const hostile = damaged(body, how, { at, bit })
        const before = storedBytes()
        const { status } = await sender.put(hostile)
        const whole = how === 'cut' && (at === framesAt || at === framesAt + (frames[0]?.length ?? 0))
        if (how === 'flip' || whole) expect([200, 400, 403]).toContain(status)
        else expect({ status, at, how }).toEqual({ status: 400, at, how })
        if (status !== 200) expect(storedBytes()).toBe(before)
      }),
      { numRuns: 250, seed: 7 },
    )
    for (const one of [...disk.files.values()]) {
      const known = frames.map((stored) => one.indexOf(stored)).filter((at) => at >= 0).length
      expect(storedBytes()).toBe(
        frames.filter((stored) => one.includes(stored)).reduce((sum, stored) => sum + stored.length, 0),
      )
      expect(known).toBeLessThanOrEqual(2)
    }
    expect((await sender.send([frame({ from: 0, to: 500 })], { agent: { id: 'other' } })).results[0]?.status).toBe(200)
  })

  test('an answer says what a stream holds durably', async () => {
    const { results, creditBytes } = await sender.send([frame({ stream: streamA, from: 100, to: 120, newRange: true })])
    expect(results).toEqual([
      { stream: streamA, start: 100, outcome: 'stored', status: 200, durable: { from: 100, to: 120 } },
    ])
    expect(creditBytes).toBeGreaterThan(0)
  })
})

function damaged(body: Buffer, how: 'cut' | 'flip' | 'extend', { at, bit }: { at: number; bit: number }): Buffer {
  if (how === 'cut') return Buffer.from(body.subarray(0, at))
  if (how === 'extend') return Buffer.concat([body, Buffer.alloc(at + 1, bit)])
  const flipped = Buffer.from(body)
  flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
  return flipped
}
