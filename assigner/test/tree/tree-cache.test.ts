import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Operation, ZooKeeperSession } from '@catchment/coordination'
import { emptyCollectorList, encodeZnode } from '@catchment/protocol'
import { collectingLog, eventually, fourLetterWord } from '@catchment/testing'
import { treeProblems } from '../../src/http/decide/tree-answer.ts'
import { TreeCache, type Snapshot } from '../../src/tree/tree-cache.ts'
import { paths, TestCluster } from '../cluster.ts'
import { statusOf } from '../simulated-tree.ts'

let cluster: TestCluster
let session: ZooKeeperSession
let snapshots: Snapshot[]

beforeEach(async () => {
  cluster = await TestCluster.start()
  session = cluster.session
  snapshots = []
  for (const path of [paths.collectors, paths.candidates, paths.journal, paths.outcomes]) await session.ensurePath(path)
})

afterEach(async () => {
  await cluster.close()
})

function follow(limits: { nodesMax?: number; bytesMax?: number } = {}): TreeCache {
  const cache = new TreeCache(session, paths, {
    ...limits,
    log: collectingLog(),
  })
  cache.onSnapshot((snapshot) => snapshots.push(snapshot))
  cluster.teardown.add('the tree', () => cache.close())
  return cache
}

function putList(id: string, epoch: number): Operation {
  const data = encodeZnode({ ...emptyCollectorList, epoch })
  return { op: 'set', path: paths.collector(id), data, version: 'any' }
}

function putManifest(epoch: number): Operation {
  const data = encodeZnode({ epoch, at: 1, why: 'a test', term: 1 })
  return { op: 'set', path: paths.assignment, data, version: 'any' }
}

async function watchCount(): Promise<number> {
  const [, count] = /zk_watch_count\t(\d+)/.exec(await fourLetterWord(cluster.zookeeper.port, 'mntr')) ?? []
  return Number(count)
}

async function addCollector(id: string): Promise<void> {
  await session.create(paths.collector(id), new Uint8Array())
  await session.create(paths.status(id), encodeZnode(statusOf(id)))
}

describe('TreeCache', () => {
  test('a publish is seen at once or not at all; what it did not touch stays the same object', async () => {
    for (const id of ['c1', 'c2', 'c3']) await addCollector(id)
    const cache = follow()
    const before = await cache.refresh({ sync: true })
    for (let epoch = 1; epoch <= 50; epoch += 1)
      await session.multi([putList('c1', epoch), putList('c2', epoch), putManifest(epoch)])
    const after = await cache.refresh({ sync: false })
    expect(after.manifest.epoch).toBe(50)
    for (const { manifest, collectors } of snapshots)
      expect(['c1', 'c2'].map((id) => collectors.get(id)?.list.epoch)).toEqual([manifest.epoch, manifest.epoch])
    expect(after.collectors.get('c3')?.list).toBe(before.collectors.get('c3')?.list)
    expect(after.collectors.get('c3')?.status).toBe(before.collectors.get('c3')?.status)
    expect(after.collectors.get('c1')?.listVersion).toBe(50)
  })

  test('no more watches for more nodes, and none is left when it is closed', async () => {
    await addCollector('c1')
    const cache = follow()
    await cache.refresh({ sync: true })
    const before = await watchCount()
    for (let at = 2; at <= 10; at += 1) await addCollector(`c${at}`)
    expect((await cache.refresh({ sync: false })).collectors.size).toBe(10)
    expect(before).toBeGreaterThan(0)
    expect(await watchCount()).toBe(before)
    await cache.close()
    await eventually('no watch is left', async () => (await watchCount()) === 0)
  })

  test('a node that cannot be understood keeps what it held before, and is reported, until it can be', async () => {
    await addCollector('c1')
    await session.multi([putList('c1', 7), putManifest(7)])
    const cache = follow()
    await session.set(paths.collector('c1'), Buffer.from('{'), 'any')
    expect((await cache.refresh({ sync: false })).collectors.has('c1')).toBe(false)
    await session.multi([putList('c1', 8)])
    await cache.refresh({ sync: false })
    await session.set(paths.collector('c1'), Buffer.from('{'), 'any')
    const broken = await cache.refresh({ sync: false })
    expect(broken.unreadable).toEqual([paths.collector('c1')])
    expect(broken.collectors.get('c1')).toMatchObject({ list: { epoch: 8 }, listBytes: 1 })
    await session.deleteTree(paths.collector('c1'))
    const gone = await cache.refresh({ sync: false })
    expect([gone.unreadable, gone.collectors.size]).toEqual([[], 0])
  })

  test('the journal, commands and what else there is are not read and count for no limit', async () => {
    await addCollector('c1')
    await session.create(`${paths.journal}/e1`, Buffer.alloc(10_000))
    await session.create(`${paths.root}/other`, Buffer.alloc(10_000))
    await session.create(`${paths.collector('c1')}/other`, Buffer.alloc(10_000))
    const cache = follow({ bytesMax: 5_000 })
    expect((await cache.refresh({ sync: true })).collectors.size).toBe(1)
    const heard = snapshots.length
    await session.create(`${paths.journal}/e2`, Buffer.alloc(10_000))
    await cache.refresh({ sync: false })
    expect(snapshots.length).toBe(heard)
  })

  test('a tree that has outgrown its limits is reported with what to do; what was read before stands until it fits', async () => {
    await addCollector('c1')
    const cache = follow({ nodesMax: 10 })
    expect(treeProblems(await cache.refresh({ sync: true }))).toEqual([])
    await addCollector('c2')
    await addCollector('c3')
    await eventually('it is reported', () => snapshots.at(-1)?.outgrown !== undefined)
    await expect(cache.refresh({ sync: true })).rejects.toMatchObject({ code: 'too-large' })
    const outgrown = snapshots.at(-1)
    expect(outgrown?.collectors.has('c1')).toBe(true)
    expect(outgrown === undefined ? [] : treeProblems(outgrown)).toMatchObject([
      { what: expect.stringContaining('10 nodes') },
    ])
    await session.deleteTree(paths.collector('c2'))
    await eventually('it fits', () => snapshots.at(-1)?.outgrown === undefined)
    expect([...(snapshots.at(-1)?.collectors.keys() ?? [])].sort()).toEqual(['c1', 'c3'])
  })
})
