import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { openSession } from '@catchment/coordination'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import { emptyCollectorList, encodeZnode, treePaths, type ByteRange } from '@catchment/protocol'
import { full } from '@catchment/testing'
import { realClock, realRandom } from '@catchment/runtime'
import { subtracted, united } from '../src/decide/intervals.ts'
import { readStoredFrames } from '../src/segments/segment-reader.ts'
import { frame, place, FrameSender, streamBytes, temporary, until } from './kit.ts'
import { startProcess, type CollectorProcess } from './process.ts'

const kills = full ? 40 : 3
const streams = ['1', '2', '3', '4'].map((digit) => digit.repeat(32))

let folder: Awaited<ReturnType<typeof temporary>>
let zookeeper: ZookeeperServer
let collector: CollectorProcess | undefined

beforeEach(async () => {
  folder = await temporary()
  zookeeper = await startServer({ listen: { host: '127.0.0.1', port: 0 }, clock: realClock, random: realRandom })
  const servers = `127.0.0.1:${zookeeper.port}`
  const session = await openSession({ servers, sessionTimeoutMs: 4000, clock: realClock, random: realRandom })
  await session.ensurePath(treePaths('/logs').collector('c1'))
  const list = { ...emptyCollectorList, epoch: 1, owned: { web: { since: 1, load: 0 } } }
  await session.set(treePaths('/logs').collector('c1'), encodeZnode(list), 'any')
  await session.close()
})

afterEach(async () => {
  await collector?.kill()
  await zookeeper.close()
  await folder.remove()
})

test(`catchment-collector, killed ${kills} times under load, keeps every acknowledged byte, none twice, and mirrors all`, async () => {
  const agents = streams.map((stream) => new RestartingAgent(stream))
  const flags = {
    zookeeper: `127.0.0.1:${zookeeper.port}`,
    id: 'c1',
    data: join(folder.path, 'data'),
    'session-timeout': '2000',
  }
  const random = seeded(4711)
  for (let kill = 0; kill < kills; kill += 1) {
    collector = await startProcess(flags)
    const sender = new FrameSender(collector.url)
    const sending = agents.map((agent) => agent.sendUntilCut(sender))
    const goal = agents.reduce((sum, { answers }) => sum + answers, 0) + 1 + Math.floor(random() * 60)
    await until(() => agents.reduce((sum, { answers }) => sum + answers, 0) >= goal, 'some answers')
    await collector.kill()
    await Promise.all(sending)
    await sender.close()
  }
  collector = await startProcess(flags)
  await storedOnce(agents)
  for (const agent of agents) {
    const file = join(folder.path, 'data', 'out', place(agent.stream))
    await until(
      async () => (await readFile(file).catch(() => Buffer.alloc(0))).length >= agent.acknowledged,
      'the mirror',
    )
    const bytes = await readFile(file)
    expect(bytes.equals(streamBytes(agent.stream, 0, bytes.length))).toBe(true)
  }
  const stopped = collector
  collector = undefined
  expect(await stopped.stop()).toBe(0)
}, 120_000)

async function storedOnce(agents: readonly RestartingAgent[]): Promise<void> {
  const held = new Map<string, ByteRange[]>()
  let frames = 0
  for await (const { stream, start, end } of readStoredFrames(join(folder.path, 'data'))) {
    const before = held.get(stream) ?? []
    const bytes = (ranges: readonly ByteRange[]): number => ranges.reduce((sum, { from, to }) => sum + to - from, 0)
    expect(bytes(subtracted(before, { from: start, to: end }))).toBe(bytes(before))
    held.set(stream, united(before, { from: start, to: end }))
    frames += 1
  }
  expect(frames).toBeGreaterThan(agents.length)
  for (const { stream, acknowledged } of agents) {
    expect(acknowledged).toBeGreaterThan(0)
    expect(held.get(stream)?.[0]).toMatchObject({ from: 0 })
    expect(held.get(stream)?.[0]?.to).toBeGreaterThanOrEqual(acknowledged)
  }
}

/** One stream's writer: goes on at its checkpoint, with other cuts each time, as an agent after a restart does. */
class RestartingAgent {
  readonly stream: string
  acknowledged = 0
  answers = 0
  readonly #random: () => number

  constructor(stream: string) {
    this.stream = stream
    this.#random = seeded(Number(stream[0]))
  }

  /** Sends until the collector goes away. */
  async sendUntilCut(sender: FrameSender): Promise<void> {
    let boundary: number | undefined
    for (;;) {
      const from = this.acknowledged
      const cuts = [from, 0, 0].map((at, index) =>
        index === 0 ? at : from + index * (1 + Math.floor(this.#random() * 3000)),
      )
      if (boundary !== undefined) cuts.splice(1, 2, boundary)
      const wishes = cuts.slice(1).map((to, index) =>
        frame({
          stream: this.stream,
          from: cuts[index] ?? 0,
          to: Math.max(to, (cuts[index] ?? 0) + 1),
          newRange: true,
        }),
      )
      try {
        const { results } = await sender.send(wishes.slice(0, 1), { agent: { id: `agent-${this.stream[0] ?? ''}` } })
        boundary = undefined
        for (const result of results) {
          if (result.status === 200 && result.durable.from <= this.acknowledged)
            this.acknowledged = Math.max(this.acknowledged, result.durable.to)
          if (result.outcome === 'overlap') boundary = result.boundary
        }
        this.answers += 1
      } catch {
        return
      }
    }
  }
}

/** mulberry32: repeats from its seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
