import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { environment, type Random } from '@catchment/runtime'
import {
  eventually,
  FakeClock,
  seededRandom,
  startProcess,
  tempDirectory,
  type ChildProcess,
  type TempDirectory,
} from '@catchment/testing'
import { code } from '../src/errors.ts'
import { startServer, type ServerOptions, type ZookeeperServer } from '../src/server.ts'
import { mode, RawClient, readStat, type Session } from './raw-client.ts'

const mainPath = fileURLToPath(new URL('../src/main.ts', import.meta.url))

const words = (data: string): string[] => [mainPath, '--data', data, '--port', '0', '--json']

let directory: TempDirectory

beforeEach(async () => {
  directory = await tempDirectory()
})

afterEach(async () => {
  await directory.remove()
})

describe('a server with a data directory', () => {
  const started = (clock: FakeClock, limits: ServerOptions['limits'] = {}): Promise<ZookeeperServer> =>
    startServer({
      listen: { host: '127.0.0.1', port: 0 },
      data: join(directory.path, 'data'),
      clock,
      random: seededRandom(1),
      limits,
    })

  test('keeps nodes, sessions and their ephemerals over a restart, until the timeout', async () => {
    const clock = new FakeClock()
    const first = await started(clock)
    const writer = await RawClient.open(first.port, { timeoutMs: 4_000 })
    await writer.create('/a', { data: 'x' })
    await writer.create('/e', { mode: mode.ephemeral })
    const { zxid } = await writer.setData('/a', 'y')
    await first.close()

    const second = await started(clock)
    expect(second.sessions()).toMatchObject([{ id: writer.session.sessionId, connected: false, ephemerals: ['/e'] }])
    const reader = await RawClient.open(second.port, { lastZxidSeen: zxid, timeoutMs: 60_000 })
    const { body } = await reader.getData('/a')
    expect(body.buffer()?.toString()).toBe('y')
    expect(readStat(body)).toMatchObject({ version: 1, mzxid: zxid })
    await clock.advance(3_999)
    expect((await reader.exists('/e')).error).toBe(0)
    await clock.advance(1)
    expect((await reader.exists('/e')).error).toBe(code.noNode)
    await second.close()
    reader.destroy()
  })

  test('bounds its log by snapshots and reads them back', async () => {
    const clock = new FakeClock()
    const first = await started(clock, { logBytesMax: 20_000 })
    const writer = await RawClient.open(first.port)
    for (let at = 0; at < 40; at += 1) await writer.create(`/n${at}`, { data: 'x'.repeat(2_000) })
    const data = join(directory.path, 'data')
    await eventually('one snapshot and one log', async () => {
      const names = (await readdir(data)).filter((name) => /^(log|snapshot)\./.test(name))
      return names.length === 2 && !names.includes('snapshot.0000000000000000')
    })
    await first.close()
    const second = await started(clock)
    const reader = await RawClient.open(second.port)
    for (let at = 0; at < 40; at += 1) expect((await reader.exists(`/n${at}`)).error).toBe(0)
    await second.close()
  })

  test('answers all of a flood although it holds back more than heldBytesMax allows', async () => {
    const server = await started(new FakeClock(), { heldBytesMax: 1 })
    const clients = await Promise.all([1, 2, 3].map(() => RawClient.open(server.port)))
    const replies = clients.flatMap((client, at) => Array.from({ length: 100 }, (_, n) => client.create(`/${at}-${n}`)))
    expect((await Promise.all(replies)).map(({ error }) => error)).toEqual(Array.from({ length: 300 }, () => 0))
    await server.close()
  })

  test('starts after a crash between a snapshot and the deletion of what it made superfluous', async () => {
    const data = join(directory.path, 'data')
    const first = await started(new FakeClock())
    const writer = await RawClient.open(first.port)
    await writer.create('/a')
    await first.close()
    const log = 'log.0000000000000001'
    const bytes = await readFile(join(data, log))
    await (await started(new FakeClock())).close()
    expect(await readdir(data)).not.toContain(log)
    await writeFile(join(data, log), bytes)
    await writeFile(join(data, 'snapshot.00000000000000ff.tmp'), 'half')

    const second = await started(new FakeClock())
    const reader = await RawClient.open(second.port)
    expect((await reader.exists('/a')).error).toBe(0)
    await second.close()
    expect((await readdir(data)).filter((name) => name === log || name.endsWith('.tmp'))).toEqual([])
  })

  test('refuses a damaged snapshot, changes nothing, and lets go of the directory', async () => {
    const data = join(directory.path, 'data')
    await (await started(new FakeClock())).close()
    const snapshot = join(data, 'snapshot.0000000000000000')
    const bytes = await readFile(snapshot)
    await writeFile(snapshot, bytes.subarray(0, -9))
    await expect(started(new FakeClock())).rejects.toMatchObject({ code: 'zookeeper-damaged' })
    await writeFile(snapshot, bytes)
    await (await started(new FakeClock())).close()
  })

  test('its directory is 0700, its files 0600, and one server uses it at a time', async () => {
    const server = await started(new FakeClock())
    const data = join(directory.path, 'data')
    const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
    expect(await modeOf(data)).toBe(0o700)
    for (const name of await readdir(data)) if (name !== 'lock') expect(await modeOf(join(data, name))).toBe(0o600)
    const second = startProcess(process.execPath, words(data))
    expect(await second.ended).toEqual({ code: 1, signal: null })
    expect(second.output.stderr).toContain('in use')
    await server.close()
  })
})

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
  readonly ephemerals: Set<string>
  zxid: bigint
}

/** Writes through a window of requests in flight until the server dies; tells of every acknowledged create. */
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
      const ephemeral = next % 3 === 0
      const created = await client.create(path, { mode: ephemeral ? mode.ephemeral : mode.persistent })
      expect(created.zxid).toBeGreaterThan(acknowledged.zxid - 1_000n)
      acknowledged.versions.set(path, 0)
      if (ephemeral) acknowledged.ephemerals.add(path)
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
    expect(found.ephemeralOwner).toBe(acknowledged.ephemerals.has(path) ? session?.sessionId : 0n)
  }
}

/** Starts a server on the same data again and again and kills it while a client writes. */
async function killAgainAndAgain(data: string, kills: number, random: Random): Promise<void> {
  const acknowledged: Acknowledged = { versions: new Map(), ephemerals: new Set(), zxid: 0n }
  let session: Session | undefined
  for (let life = 0; life <= kills; life += 1) {
    const ready = await program(process.execPath, words(data))
    await using child = ready.child
    const client = await RawClient.open(ready.port, { ...session, timeoutMs: 60_000, lastZxidSeen: acknowledged.zxid })
    expect(client.session.sessionId).toBe(session?.sessionId ?? client.session.sessionId)
    session = client.session
    await expectAll(client, session, acknowledged)
    let untilDeath = 1 + Math.floor(random.float() * 200)
    await writeUntilDeath(client, `${life}`, acknowledged, () => {
      untilDeath -= 1
      if (untilDeath === 0) child.signal('SIGKILL')
    })
    client.destroy()
  }
  expect(acknowledged.versions.size).toBeGreaterThan(kills)
}

describe('catchment-zookeeper', () => {
  test('killed again and again, it loses no acknowledged write, session or ephemeral', async () => {
    const kills = environment()['CATCHMENT_TEST_FULL'] === '1' ? 10 : 2
    const lanes = [1, 2].map((seed) =>
      killAgainAndAgain(join(directory.path, `data${seed}`), kills, seededRandom(seed)),
    )
    await Promise.all(lanes)
  }, 120_000)

  test('a full disk ends it: exit 1, the reason on stderr, and what was acknowledged is there afterwards', async () => {
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

  test('used wrongly it exits 2: no data, or beyond loopback', async () => {
    const ends = [[mainPath], [mainPath, '--data', directory.path, '--host', '0.0.0.0']].map(
      (wrong) => startProcess(process.execPath, wrong).ended,
    )
    expect(await Promise.all(ends)).toEqual([
      { code: 2, signal: null },
      { code: 2, signal: null },
    ])
  })
})
