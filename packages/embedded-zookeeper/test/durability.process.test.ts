// The program itself, killed and starved of disk: what it acknowledged must be there afterwards.

import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { Random } from '@catchment/runtime'
import { full, seededRandom, startProcess, tempDirectory, type ChildProcess } from '@catchment/testing'
import { lifetimeOf, type Lifetime } from '../src/tree/owner.ts'
import { DataDirectory } from '../src/storage/storage.ts'
import { opcode } from '@catchment/zookeeper-wire'
import { mode, RawClient, readStat, writeCreate, type Reply, type Session } from './raw-client.ts'

const mainPath = fileURLToPath(new URL('../src/main.ts', import.meta.url))

const words = (data: string): string[] => [mainPath, '--data', data, '--port', '0', '--json']

interface Ready {
  readonly child: ChildProcess
  readonly port: number
}

async function program(command: string, words: readonly string[]): Promise<Ready> {
  const child = startProcess(command, words)
  const ready: unknown = JSON.parse(await child.line((line) => line.includes('"ready":true')))
  if (typeof ready !== 'object' || ready === null || !('port' in ready) || typeof ready.port !== 'number')
    throw new Error('no port in the ready line')
  return { child, port: ready.port }
}

/** What a server has acknowledged: it must know all of it for ever. */
interface Acknowledged {
  readonly versions: Map<string, number>
  readonly lifetimes: Map<string, Lifetime>
  readonly opened: Set<bigint>
  readonly ended: Set<bigint>
  zxid: bigint
}

const lifetimes: readonly Lifetime[] = ['persistent', 'ephemeral', 'container', 'ttl']

function create(client: RawClient, path: string, lifetime: Lifetime): Promise<Reply> {
  switch (lifetime) {
    case 'persistent':
      return client.create(path)
    case 'ephemeral':
      return client.create(path, { mode: mode.ephemeral })
    case 'container':
      return client.request(opcode.createContainer, (writer) => {
        writeCreate(writer, path, { mode: mode.container })
      })
    case 'ttl':
      return client.request(opcode.createTtl, (writer) => {
        writeCreate(writer, path, { mode: mode.ttl })
        writer.long(3_600_000n)
      })
  }
}

/** Writes through a window of requests in flight until the server dies; reports every acknowledged create. */
async function writeUntilDeath(
  client: RawClient,
  life: string,
  acknowledged: Acknowledged,
  onAcknowledged: () => void,
): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (;;) {
      const path = `/${life}-${next++}`
      const lifetime = lifetimes[next % lifetimes.length] ?? 'persistent'
      const created = await create(client, path, lifetime)
      expect(created.error).toBe(0)
      expect(created.zxid).toBeGreaterThan(acknowledged.zxid - 1_000n)
      acknowledged.versions.set(path, 0)
      acknowledged.lifetimes.set(path, lifetime)
      onAcknowledged()
      const set = await client.setData(path, 'x'.repeat(next % 500))
      acknowledged.versions.set(path, 1)
      acknowledged.zxid = set.zxid > acknowledged.zxid ? set.zxid : acknowledged.zxid
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: 20 }, lane))
  for (const end of ends) if (end.status === 'rejected') expect(String(end.reason)).toContain('closed the connection')
}

async function expectAll(client: RawClient, session: Session | undefined, acknowledged: Acknowledged): Promise<void> {
  const paths = [...acknowledged.versions]
  const answers = await Promise.all(paths.map(([path]) => client.exists(path)))
  for (const [at, answer] of answers.entries()) {
    const [path = '', version = 0] = paths[at] ?? []
    expect([path, answer.error]).toEqual([path, 0])
    const found = readStat(answer.body)
    expect(found.version).toBeGreaterThanOrEqual(version)
    expect(found.ephemeralOwner).toBe(acknowledged.lifetimes.get(path) === 'ephemeral' ? session?.sessionId : 0n)
  }
}

/** Starts a server on the same data again and again and kills it while a client writes. */
async function killAgainAndAgain(data: string, kills: number, random: Random): Promise<void> {
  const acknowledged: Acknowledged = {
    versions: new Map(),
    lifetimes: new Map(),
    opened: new Set(),
    ended: new Set(),
    zxid: 0n,
  }
  let session: Session | undefined
  for (let life = 0; life <= kills; life += 1) {
    const ready = await program(process.execPath, words(data))
    await using child = ready.child
    const client = await RawClient.open(ready.port, { ...session, timeoutMs: 60_000, lastZxidSeen: acknowledged.zxid })
    expect(client.session.sessionId).toBe(session?.sessionId ?? client.session.sessionId)
    session = client.session
    await expectAll(client, session, acknowledged)
    await openAndEnd(ready.port, acknowledged)
    let untilDeath = 1 + Math.floor(random.float() * 200)
    await writeUntilDeath(client, `${life}`, acknowledged, () => {
      untilDeath -= 1
      if (untilDeath === 0) child.signal('SIGKILL')
    })
    client.destroy()
  }
  expect(acknowledged.versions.size).toBeGreaterThan(kills)
  await expectOnDisk(data, acknowledged)
}

/** One session that stays and one that ends: both were notified so. */
async function openAndEnd(port: number, acknowledged: Acknowledged): Promise<void> {
  const [stays, ends] = [await RawClient.open(port, { timeoutMs: 60_000 }), await RawClient.open(port)]
  acknowledged.opened.add(stays.session.sessionId)
  expect((await ends.request(opcode.closeSession)).error).toBe(0)
  acknowledged.ended.add(ends.session.sessionId)
  stays.destroy()
}

/** What a client cannot see: what ends a node, and which sessions there are. */
async function expectOnDisk(data: string, acknowledged: Acknowledged): Promise<void> {
  const { machine, log, directory: opened } = await DataDirectory.open(data)
  await log.close()
  opened.release()
  const found = [...acknowledged.lifetimes].map(([path]) => lifetimeOf(machine.tree.get(path)?.ephemeralOwner ?? 0n))
  expect(found).toEqual([...acknowledged.lifetimes.values()])
  for (const id of acknowledged.opened) expect(machine.sessions.has(id)).toBe(true)
  for (const id of acknowledged.ended) expect(machine.sessions.has(id)).toBe(false)
}

describe('catchment-zookeeper', () => {
  test('killed again and again, it loses no acknowledged write, no session nor its end, and not what ends a node', async () => {
    await using directory = await tempDirectory()
    const kills = full ? 10 : 2
    const lanes = [1, 2].map((seed) =>
      killAgainAndAgain(join(directory.path, `data${seed}`), kills, seededRandom(seed)),
    )
    await Promise.all(lanes)
  }, 120_000)

  test('a full disk ends it: exit 1, the reason on stderr, and what was acknowledged is there afterwards', async () => {
    await using directory = await tempDirectory()
    const data = join(directory.path, 'data')
    const limited = ['-c', `ulimit -f 1024; exec "$0" "$@"`, process.execPath, ...words(data)]
    const ready = await program('bash', limited)
    await using child = ready.child
    const client = await RawClient.open(ready.port)
    let acknowledged = -1
    await expect(
      (async () => {
        for (let at = 0; at < 100; at += 1) {
          expect((await client.create(`/n${at}`, { data: 'x'.repeat(50_000) })).error).toBe(0)
          acknowledged = at
        }
      })(),
    ).rejects.toThrow('closed the connection')
    expect(await child.ended).toEqual({ code: 1, signal: null })
    expect(child.output.stderr).toContain('could not write the transaction log')

    const again = await program(process.execPath, words(data))
    await using second = again.child
    const reader = await RawClient.open(again.port)
    expect(acknowledged).toBeGreaterThan(5)
    for (let at = 0; at <= acknowledged; at += 1) expect((await reader.exists(`/n${at}`)).error).toBe(0)
    reader.destroy()
    second.signal('SIGTERM')
    expect(await second.ended).toEqual({ code: 0, signal: null })
  }, 120_000)

  test('one server uses a data directory at a time', async () => {
    await using directory = await tempDirectory()
    await using first = (await program(process.execPath, words(directory.path))).child
    await using second = startProcess(process.execPath, words(directory.path))
    expect(await second.ended).toEqual({ code: 1, signal: null })
    expect(second.output.stderr).toContain(`pid ${first.pid}`)
  })

  test('used wrongly it exits 2: no data, or beyond loopback', async () => {
    await using directory = await tempDirectory()
    const ends = [[mainPath], [mainPath, '--data', directory.path, '--host', '0.0.0.0']].map(
      (wrong) => startProcess(process.execPath, wrong).ended,
    )
    expect(await Promise.all(ends)).toEqual([
      { code: 2, signal: null },
      { code: 2, signal: null },
    ])
  })
})
