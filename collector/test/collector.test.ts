import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openSession, type ZooKeeperSession } from '@catchment/coordination'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import {
  collectorStatusSchema,
  decodeZnode,
  emptyCollectorList,
  encodeZnode,
  treePaths,
  type CollectorList,
} from '@catchment/protocol'
import { realClock, realRandom } from '@catchment/runtime'
import { startCollector, type CollectorSettings, type RunningCollector } from '../src/collector.ts'
import { openDataDirectory } from '../src/segments/data-directory.ts'
import { ClusterMember } from '../src/cluster/membership.ts'
import { realDisk, type Disk, type DiskFile } from '../src/segments/disk.ts'
import { frame, place, quiet, FrameSender, streamA, streamBytes, temporary, until } from './kit.ts'

const paths = treePaths('/logs')
const surroundings = { clock: realClock, random: realRandom, log: quiet, disk: realDisk }

let zookeeper: ZookeeperServer
let session: ZooKeeperSession
let folder: Awaited<ReturnType<typeof temporary>>
let collector: RunningCollector | undefined
let sender: FrameSender | undefined

beforeEach(async () => {
  folder = await temporary()
  zookeeper = await startServer({ listen: { host: '127.0.0.1', port: 0 }, clock: realClock, random: realRandom })
  const servers = `127.0.0.1:${zookeeper.port}`
  session = await openSession({ servers, sessionTimeoutMs: 4000, clock: realClock, random: realRandom })
})

afterEach(async () => {
  await sender?.close()
  await collector?.stop()
  await session.close()
  await zookeeper.close()
  await folder.remove()
  sender = collector = undefined
})

describe('Member', () => {
  test('one that could not be opened follows nothing: a caller that tries again would hear everything twice', async () => {
    await session.ensurePath(paths.collectors)
    await session.create(paths.collector('c1'), Buffer.from('{'))
    const directory = await openDataDirectory(join(folder.path, 'data'), 'a test', realRandom)
    const applied: number[] = []
    const openAgain = (): Promise<ZooKeeperSession> => Promise.resolve(session)
    const member = new ClusterMember({ id: 'c1', paths, directory, openSession: openAgain, log: quiet })
    member.onList(({ epoch }) => applied.push(epoch))
    await expect(member.connect()).rejects.toThrow('is not JSON')
    await assign({ epoch: 7 })
    for (let turn = 0; turn < 10; turn += 1) await session.get(paths.collector('c1')) // time for another to read it too
    expect(applied).toEqual([])
    directory.lock.release()
  })
})

describe('startCollector', () => {
  test('takes frames of its groups, stores, mirrors and reports', async () => {
    await assign({ owned: { web: { since: 3, load: 0 } }, moved: { old: { to: 'c2', epoch: 2, at: 1 } }, epoch: 3 })
    const to = await start()
    const answer = await to.send([frame({ from: 0, to: 5000 }), frame({ from: 5000, to: 9000 })])
    expect(answer).toMatchObject({ collector: 'c1', epoch: 3, stale: false })
    expect(answer.results).toMatchObject([{ outcome: 'stored' }, { outcome: 'stored', durable: { from: 0, to: 9000 } }])
    const again = await to.send([frame({ from: 0, to: 5000 }), frame({ from: 0, to: 10, group: 'old' })])
    expect(again.results).toMatchObject([{ outcome: 'duplicate' }, { outcome: 'misdirected', to: 'c2', epoch: 2 }])
    const file = join(folder.path, 'data', 'out', place(streamA))
    await until(async () => (await readFile(file).catch(() => Buffer.alloc(0))).length === 9000, 'the mirror')
    expect((await readFile(file)).equals(streamBytes(streamA, 0, 9000))).toBe(true)
    expect(await status()).toMatchObject({ id: 'c1', starts: 1, state: 'serving', appliedEpoch: 3 })
    const load = JSON.parse((await to.get('/v1/load')).body.toString()) as { groups: { sources: number }[] }
    expect(load.groups).toMatchObject([{ group: 'web', sources: 1 }])
    for (const path of ['/healthz', '/readyz', '/metrics', '/v1/status']) expect((await to.get(path)).status).toBe(200)
  })

  test('follows its list, and reads it again when an agent knows a newer one', async () => {
    const to = await start()
    expect((await to.send([frame({ from: 0, to: 10 })])).results).toMatchObject([{ outcome: 'misdirected' }])
    await assign({ borrowed: { web: { from: 'c9', since: 5, at: 1 } }, epoch: 5 })
    expect((await to.send([frame({ from: 0, to: 10 })], { epoch: 5 })).results).toMatchObject([{ outcome: 'stored' }])
    expect((await to.send([frame({ from: 10, to: 20 })], { epoch: 6 })).results).toMatchObject([{ outcome: 'behind' }])
    await until(async () => (await status())?.appliedEpoch === 5, 'the applied epoch in the status')
  })

  test('cut off from ZooKeeper it goes on and says stale', async () => {
    await assign({ owned: { web: { since: 3, load: 0 } }, epoch: 3 })
    const to = await start()
    zookeeper.pause()
    await until(async () => (await to.send([frame({ from: 0, to: 10 })])).stale, 'stale')
    const { results } = await to.send([frame({ from: 10, to: 20 })], { epoch: 9 })
    expect(results).toMatchObject([{ outcome: 'stored' }])
    zookeeper.resume()
    await until(async () => !(await to.send([frame({ from: 0, to: 10 })])).stale, 'fresh again')
  })

  test('started while ZooKeeper is away it serves the last known list as stale, and joins when it is back', async () => {
    await assign({ owned: { web: { since: 3, load: 0 } }, epoch: 3 })
    await start()
    await collector?.stop()
    zookeeper.pause()
    const to = await start(1000)
    const answer = await to.send([frame({ from: 0, to: 10 })], { epoch: 3 })
    expect(answer).toMatchObject({ stale: true, epoch: 3, results: [{ outcome: 'stored' }] })
    expect((await to.get('/readyz')).status).toBe(503)
    zookeeper.resume()
    await until(async () => (await to.get('/readyz')).status === 200, 'the session')
    await until(async () => (await status())?.starts === 2, 'the status')
    expect((await to.send([frame({ from: 0, to: 10 })], { epoch: 3 })).stale).toBe(false)
  })

  test('a tree that was made again does not take away what is served: it goes on as stale until a newer list comes', async () => {
    await assign({ owned: { web: { since: 3, load: 0 } }, epoch: 3 })
    const to = await start()
    expect(await to.send([frame({ from: 0, to: 10 })], { epoch: 3 })).toMatchObject({ stale: false, epoch: 3 })
    await assign({ epoch: 1 })
    await until(async () => (await to.send([frame({ from: 0, to: 10 })])).stale, 'stale')
    const answer = await to.send([frame({ from: 10, to: 20 })], { epoch: 3 })
    expect(answer).toMatchObject({ epoch: 3, results: [{ outcome: 'stored' }] })
    expect((await status())?.appliedEpoch).toBe(3)
    await assign({ epoch: 4 })
    await until(async () => (await status())?.appliedEpoch === 4, 'the applied epoch in the status')
    const { stale, results } = await to.send([frame({ from: 20, to: 30 })], { epoch: 3 })
    expect({ stale, results }).toMatchObject({ stale: false, results: [{ outcome: 'misdirected', epoch: 4 }] })
  })

  test('a disk that hangs lets the status grow old, though the session lives; it is rewritten when the disk is back', async () => {
    const disk = hangingDisk()
    await start(2000, disk)
    const reportedAt = async (): Promise<number> => (await status())?.reportedAt ?? 0
    const first = await reportedAt()
    await until(async () => (await reportedAt()) > first, 'a second report')
    disk.hang()
    await until(() => disk.hanging, 'a probe that hangs')
    const last = await reportedAt()
    await assign({ epoch: 4 }) // what makes it report at once
    await until(async () => (await sender?.get('/v1/status'))?.body.includes('"appliedEpoch":4') === true, 'the list')
    expect(await reportedAt()).toBe(last)
    disk.release()
    await until(async () => (await reportedAt()) > last, 'a report after the hang')
  })

  test('another data directory is refused while the first lives', async () => {
    await start()
    const second = startCollector(settings({ data: join(folder.path, 'other') }), surroundings)
    await expect(second).rejects.toMatchObject({ code: 'refused' })
    expect((await status())?.starts).toBe(1)
  })

  test('the ranges and the mirror outlive a stop', async () => {
    await assign({ owned: { web: { since: 3, load: 0 } }, epoch: 3 })
    await (await start()).send([frame({ from: 0, to: 1000 })])
    await collector?.stop()
    expect(await status()).toBeUndefined()
    const to = await start()
    const { results } = await to.send([frame({ from: 0, to: 1000 }), frame({ from: 1000, to: 1500 })])
    expect(results).toMatchObject([{ outcome: 'duplicate' }, { outcome: 'stored', durable: { from: 0, to: 1500 } }])
    expect((await status())?.starts).toBe(2)
  })
})

async function start(sessionTimeout = 2000, disk = realDisk): Promise<FrameSender> {
  await sender?.close()
  collector = await startCollector(settings({ sessionTimeout }), { ...surroundings, disk })
  sender = new FrameSender(collector.url)
  return sender
}

/** The real disk, whose fdatasync waits from `hang` to `release`. */
function hangingDisk(): Disk & { readonly hanging: boolean; hang: () => void; release: () => void } {
  let gate: Promise<void> | undefined
  let open = (): void => undefined
  let waiting = 0
  const held = (file: DiskFile): DiskFile => ({
    ...file,
    fdatasync: async () => {
      waiting += 1
      await gate
      waiting -= 1
      await file.fdatasync()
    },
  })
  return {
    ...realDisk,
    create: async (path) => held(await realDisk.create(path)),
    open: async (path) => held(await realDisk.open(path)),
    get hanging() {
      return gate !== undefined && waiting > 0
    },
    hang: () => {
      gate = new Promise((resolve) => {
        open = resolve
      })
    },
    release: () => {
      gate = undefined
      open()
    },
  }
}

function settings(changed: Partial<CollectorSettings>): CollectorSettings {
  return {
    zookeeper: `127.0.0.1:${zookeeper.port}`,
    root: '/logs',
    id: 'c1',
    listen: '127.0.0.1:0',
    advertise: undefined,
    insecure: false,
    data: join(folder.path, 'data'),
    mirror: undefined,
    zone: 'default',
    capacity: 50_000_000,
    sessionTimeout: 2000,
    diskMax: 1 << 30,
    ...changed,
  }
}

async function assign(list: Partial<CollectorList>): Promise<void> {
  await session.ensurePath(paths.collector('c1'))
  await session.set(paths.collector('c1'), encodeZnode({ ...emptyCollectorList, ...list }), 'any')
}

async function status(): Promise<ReturnType<typeof collectorStatusSchema.parse> | undefined> {
  if ((await session.exists(paths.status('c1'))) === undefined) return undefined
  return decodeZnode(collectorStatusSchema, (await session.get(paths.status('c1'))).data, 'status')
}
