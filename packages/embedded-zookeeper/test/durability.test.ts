import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { eventually, FakeClock, seededRandom, tempDirectory, type TempDirectory } from '@catchment/testing'
import { errorCode } from '@catchment/zookeeper-wire'
import { startServer, type ServerOptions, type ZookeeperServer } from '../src/server/server.ts'
import { mode, RawClient, readStat } from './raw-client.ts'

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
    expect((await reader.exists('/e')).error).toBe(errorCode.noNode)
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

  test('a failed fsync ends it: no one is notified of the write, the reason is given, what was reported is there afterwards', async () => {
    const server = await started(new FakeClock())
    const client = await RawClient.open(server.port)
    await client.create('/a')
    const probe = await open(join(directory.path, 'probe'), 'w')
    const failing = jest.spyOn(Object.getPrototypeOf(probe) as typeof probe, 'datasync')
    await probe.close()
    failing.mockRejectedValue(new Error('EIO: i/o error, fdatasync'))
    try {
      await expect(client.create('/b')).rejects.toThrow('closed the connection')
      expect(await server.ended).toMatchObject({
        code: 'zookeeper-disk',
        message: expect.stringContaining('EIO') as unknown,
      })
    } finally {
      failing.mockRestore()
    }
    const again = await started(new FakeClock())
    const reader = await RawClient.open(again.port)
    expect((await reader.exists('/a')).error).toBe(0)
    await again.close()
  })

  test('its directory is 0700, its files 0600', async () => {
    const server = await started(new FakeClock())
    const data = join(directory.path, 'data')
    const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
    expect(await modeOf(data)).toBe(0o700)
    for (const name of await readdir(data)) if (name !== 'lock') expect(await modeOf(join(data, name))).toBe(0o600)
    await server.close()
  })
})
