// Nodes that the servers delete by themselves, on servers that look for them often.

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { WatchEvent, ZooKeeperSession } from '@catchment/coordination'
import { ownServers, type Servers } from '../../../packages/coordination/test/world/servers.ts'
import { bytes, inWorldOn, Heard, type World, stretchedMs } from '../../../packages/coordination/test/world/world.ts'

const containerCheckMs = 100
const lastingMs = 60_000

let servers: Servers
beforeAll(async () => {
  servers = await ownServers({ containerCheckMs })
})
afterAll(() => servers.close())
const below = (story: (session: ZooKeeperSession, world: World) => Promise<void>): (() => Promise<void>) =>
  inWorldOn(
    () => Promise.resolve(servers),
    async (world) => story((await world.session()).session, world),
  )

/** Until the servers have looked for what is due, twice: a node that was due before is gone. */
async function looked(session: ZooKeeperSession, { root, eventually }: World): Promise<void> {
  for (const beacon of ['first', 'second'].map((name) => `${root}/${name}`)) {
    await session.create(beacon, bytes(''), 'persistent-with-ttl', { ttlMs: 1 })
    await eventually('a node past its time to be deleted', async () => (await session.exists(beacon)) === undefined)
  }
}

test.concurrent(
  'a container is deleted some time after its last child was, and never before it had one; it is reported',
  below(async (session, world) => {
    const { root } = world
    const used = `${root}/used`
    for (const path of [used, `${root}/unused`]) await session.create(path, bytes(''), 'container')
    await session.create(`${used}/child`, bytes(''))
    const heard = new Heard<WatchEvent>()
    await session.exists(used, { watch: heard.hear })
    await looked(session, world)
    expect(heard.all).toEqual([])
    await session.delete(`${used}/child`, 0)
    await heard.first(({ type, path }) => type === 'deleted' && path === used)
    await looked(session, world)
    expect((await session.children(root)).names).toEqual(['unused'])
  }),
)

test.concurrent(
  'a node with a TTL is deleted when it was not written for so long and has no children; it is reported',
  below(async (session, world) => {
    const { root } = world
    const [lasting, parent] = [`${root}/lasting`, `${root}/parent`]
    await session.create(lasting, bytes(''), 'persistent-with-ttl', { ttlMs: lastingMs })
    await session.multi([
      { op: 'create', path: parent, data: bytes(''), mode: 'persistent-with-ttl', ttlMs: 1 },
      { op: 'create', path: `${parent}/child`, data: bytes('') },
    ])
    const heard = new Heard<WatchEvent>()
    await session.exists(parent, { watch: heard.hear })
    await looked(session, world)
    expect(heard.all).toEqual([])
    await session.delete(`${parent}/child`, 0)
    await heard.first(({ type, path }) => type === 'deleted' && path === parent)
    expect((await session.children(root)).names).toEqual(['lasting'])
  }),
)

test.concurrent(
  'writing begins its time again',
  below(async (session, world) => {
    const { root, clock, eventually } = world
    const path = `${root}/written`
    const ttlMs = stretchedMs(10 * containerCheckMs)
    await session.create(path, bytes(''), 'persistent-with-ttl', { ttlMs })
    const startedMs = clock.monotonicMs()
    let writtenMs = startedMs
    while (writtenMs - startedMs < 1.25 * ttlMs) {
      await looked(session, world)
      writtenMs = clock.monotonicMs() // before it is sent: the answer may come late
      await session.set(path, bytes('again'), 'any')
    }
    await eventually('it to be deleted', async () => (await session.exists(path)) === undefined)
    expect(clock.monotonicMs() - writtenMs).toBeGreaterThan(ttlMs - containerCheckMs)
  }),
)
