// Nodes that the server removes by itself: containers that had children and have none, TTL nodes that no one writes.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { FakeClock, seededRandom, tempDirectory, type TempDirectory } from '@catchment/testing'
import type { JuteReader } from '@catchment/zookeeper-wire'
import { errorCode, eventType, opcode } from '@catchment/zookeeper-wire'
import { startServer, type ServerOptions, type ZookeeperServer } from '../src/server/server.ts'
import { mode, RawClient, readStat, writeCreate, type Reply } from './raw-client.ts'

const checkMs = 60_000

let clock: FakeClock
let directory: TempDirectory
let server: ZookeeperServer
let client: RawClient

beforeEach(async () => {
  clock = new FakeClock()
  directory = await tempDirectory()
})

afterEach(async () => {
  await server.close()
  await directory.remove()
})

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  const listen = { host: '127.0.0.1', port: 0 }
  const sessionTimeoutMs = { min: 1_000, max: 100 * checkMs }
  server = await startServer({ listen, clock, random: seededRandom(1), sessionTimeoutMs, ...options })
  client = await RawClient.open(server.port, { timeoutMs: 100 * checkMs })
}

const container = (path: string): Promise<Reply> =>
  client.request(opcode.createContainer, (writer) => {
    writeCreate(writer, path, { mode: mode.container })
  })
const ttl = (path: string, ttlMs: bigint): Promise<Reply> =>
  client.request(opcode.createTtl, (writer) => {
    writeCreate(writer, path, { mode: mode.ttl })
    writer.long(ttlMs)
  })
const pathAndStat = (body: JuteReader): unknown => [body.string(), readStat(body).ephemeralOwner, body.remaining]
const exists = async (path: string): Promise<boolean> => (await client.exists(path)).error === errorCode.ok

describe('a container', () => {
  test('goes at the check after its last child, with the events of a deletion, in a transaction of its own', async () => {
    await start()
    expect(pathAndStat((await container('/c')).body)).toEqual(['/c', 0n, 0])
    await client.create('/c/x')
    await clock.advance(checkMs)
    const { zxid } = await client.remove('/c/x')
    await client.exists('/c', true)
    await client.getChildren('/', true)
    await clock.advance(checkMs - 1)
    expect(await exists('/c')).toBe(true)
    await clock.advance(1)
    expect((await client.exists('/c')).zxid).toBe(zxid + 1n)
    expect(client.notifications.map(({ type, path }) => [type, path])).toEqual([
      [eventType.deleted, '/c'],
      [eventType.childrenChanged, '/'],
    ])
  })

  test('that never had children stays; without any no timer stands', async () => {
    await start()
    const timers = clock.pendingTimers
    await container('/c')
    expect(clock.pendingTimers).toBe(timers + 1)
    await clock.advance(3 * checkMs)
    expect(await exists('/c')).toBe(true)
    await client.remove('/c')
    expect(clock.pendingTimers).toBe(timers)
  })

  test('more of them than containerDeletionsMax go check by check', async () => {
    await start({ limits: { containerDeletionsMax: 2 } })
    for (const path of ['/a', '/b', '/c']) {
      await container(path)
      await client.create(`${path}/x`)
      await client.remove(`${path}/x`)
    }
    await clock.advance(checkMs)
    expect(await Promise.all(['/a', '/b', '/c'].map(exists))).toEqual([false, false, true])
    await clock.advance(checkMs)
    expect(await exists('/c')).toBe(false)
  })
})

describe('a TTL node', () => {
  test('goes at the first check after its time since the last write, unless it has children', async () => {
    await start()
    expect(pathAndStat((await ttl('/t', 90_000n)).body)).toEqual(['/t', 0n, 0])
    await ttl('/parent', 1n)
    await client.create('/parent/x')
    await clock.advance(checkMs)
    await client.setData('/t', 'x')
    await clock.advance(checkMs)
    expect(await exists('/t')).toBe(true)
    await clock.advance(checkMs)
    expect([await exists('/t'), await exists('/parent')]).toEqual([false, true])
  })
})

describe('both', () => {
  test('keep their end over restarts, from log and snapshot; the check is a timer of the new server', async () => {
    const data = join(directory.path, 'data')
    await start({ data })
    await container('/c')
    await client.create('/c/x')
    await ttl('/t', 10n)
    for (let restarts = 0; restarts < 2; restarts += 1) {
      await server.close() // the first reads a log, the second a snapshot
      await start({ data })
    }
    await client.remove('/c/x')
    await clock.advance(checkMs)
    expect([await exists('/c'), await exists('/t'), await exists('/')]).toEqual([false, false, true])
    await server.close()
    await start({ data })
    expect([await exists('/c'), await exists('/t')]).toEqual([false, false])
  })

  test('files of version 1, which knew neither, are read', async () => {
    const data = join(directory.path, 'data')
    await start({ data })
    await client.create('/old', { data: 'x' })
    await server.close()
    const log = (await readdir(data)).find((name) => name.startsWith('log.')) ?? ''
    const bytes = await readFile(join(data, log))
    expect(bytes.readUInt32BE(4)).toBe(2)
    bytes.writeUInt32BE(1, 4)
    await writeFile(join(data, log), bytes)
    await start({ data })
    expect(await exists('/old')).toBe(true)
  })
})
