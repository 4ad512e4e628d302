import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { WatchEvent } from '@catchment/coordination'
import { ownServers, type Servers } from '../../../packages/coordination/test/world/servers.ts'
import {
  bytes,
  ending,
  inWorldOn,
  text,
  Heard,
  type Client,
  type World,
} from '../../../packages/coordination/test/world/world.ts'
import { ask, body, stat, hear } from './wire.ts'

// One after the other: they kill servers that they share.

let servers: Servers
beforeAll(async () => {
  servers = await ownServers()
})
afterAll(() => servers.close())
const onOwn = (story: (world: World, servers: Servers) => Promise<void>): (() => Promise<void>) =>
  inWorldOn(() => Promise.resolve(servers), story)

/** Kills the server of `client`; another takes its place, or it is started again. */
async function failServerOf({ network, reaches }: Client): Promise<void> {
  const suspended = reaches('suspended')
  await servers.kill(network.serving ?? 0)
  network.weather = 'refusing' // not to wait for servers that accept before they serve
  await suspended
  await takeOver()
  network.weather = 'through'
  await reaches('connected')
}

async function takeOver(): Promise<void> {
  if (servers.ports.length === 1) await servers.heal()
  await servers.leader()
}

describe('the server of a session is killed', () => {
  test(
    'the same session goes on: ephemerals there, what was answered is there, missed changes are reported',
    onOwn(async ({ session: open, root }) => {
      const client = await open({ sessionTimeoutMs: 30_000 })
      const other = await open({ sessionTimeoutMs: 30_000 })
      const { session } = client
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await session.create(`${root}/v`, bytes('before'))
      const heard = new Heard<WatchEvent>()
      await session.get(`${root}/v`, { watch: heard.hear })
      const { sessionId } = session
      client.network.weather = 'stalled' // so that it cannot hear before the server dies
      await other.session.sync(root)
      await other.session.set(`${root}/v`, bytes('after'), 0)
      await failServerOf(client)
      await heard.first(({ type }) => type === 'changed')
      await session.sync(root)
      expect(text((await session.get(`${root}/v`)).data)).toBe('after')
      expect((await session.exists(`${root}/e`))?.ephemeralOwner).toBe(sessionId)
      expect([session.sessionId, session.generation]).toEqual([sessionId, 1])
    }),
  )

  test(
    'writes under way: those that were answered are there, those that are not done are not, in the order of sending',
    onOwn(async ({ session: open, root }) => {
      const client = await open({ sessionTimeoutMs: 30_000 })
      const { session } = client
      const ends = Array.from({ length: 400 }, async (_, index) =>
        ending(session.create(`${root}/${String(index).padStart(3, '0')}`, bytes(''))),
      )
      await ends[100]
      await failServerOf(client)
      const ended = await Promise.all(ends)
      await session.sync(root)
      const there = new Set((await session.children(root)).names.map(Number))
      for (const [index, end] of ended.entries()) {
        if (end === 'done') expect([index, there.has(index)]).toEqual([index, true])
        if (end.endsWith('not-done')) expect([index, there.has(index)]).toEqual([index, false])
      }
      const unknown = ended.flatMap((end, index) => (end.endsWith('unknown') ? [there.has(index)] : []))
      expect(unknown).toEqual([...unknown].sort((one, other) => Number(other) - Number(one))) // a prefix was done
      expect(ended.filter((end) => end === 'done').length).toBeGreaterThan(100)
    }),
  )
})

describe('the leader is killed', () => {
  test(
    'what was answered is there, and zxids go on growing',
    onOwn(async ({ raw, root, session: open }) => {
      await open()
      const before = await hear(await raw(), body.setData(root, 'before'))
      const leader = await servers.leader()
      await servers.kill(leader)
      await takeOver()
      const survivor = servers.ports.findIndex((port) => port !== leader)
      const client = await raw({ lastZxidSeen: before.zxid }, Math.max(0, survivor))
      await hear(client, body.sync(root))
      expect((await ask(client, body.exists(root), stat)).value.mzxid).toBe(before.zxid)
      expect((await hear(client, body.setData(root, 'after'))).zxid).toBeGreaterThan(before.zxid)
    }),
  )
})

describe('all servers are killed', () => {
  test(
    'for longer than the session timeout: lost here, and nothing of the old session is left when the new one comes',
    onOwn(async ({ session: open, root }) => {
      const { session, states, reaches } = await open({ sessionTimeoutMs: 1_000 })
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await session.create(`${root}/kept`, bytes(''))
      await Promise.all(servers.ports.map((port) => servers.kill(port)))
      await reaches('lost')
      await servers.heal()
      await reaches('connected')
      await session.sync(root)
      expect((await session.children(root)).names).toEqual(['kept'])
      expect(session.generation).toBe(2)
      expect(states).toEqual(['suspended', 'lost', 'connected'])
    }),
  )
})
