import { describe, expect, test } from '@jest/globals'
import { bytes, inWorld, stretchedMs } from '../../../packages/coordination/test/world/world.ts'
import { onWire, statOf } from './on-wire.ts'
import { ask, body, errors, modes, op, hear, texts } from './wire.ts'

describe('sessions', () => {
  test.concurrent(
    'the timeout is what was asked for, within the bounds of the server',
    onWire(async (_, __, { raw }) => {
      const granted = []
      for (const timeoutMs of [1, 5_000, 900_000]) granted.push((await raw({ timeoutMs })).session.timeoutMs)
      expect(granted).toEqual([500, 5_000, 60_000])
    }),
  )

  test.concurrent(
    'silence: expired after its timeout, its connection ends, its ephemerals go at once, what persists stays',
    onWire(async (client, at, { raw, clock }) => {
      const timeoutMs = stretchedMs(1_000)
      const silent = await raw({ timeoutMs }, 1)
      await hear(silent, body.create(`${at}/kept`))
      const startedMs = clock.monotonicMs()
      for (const name of ['one', 'two']) await hear(silent, body.create(`${at}/${name}`, { mode: modes.ephemeral }))
      await hear(client, body.sync(at))
      await hear(client, body.exists(`${at}/one`, true))
      await silent.closed
      const afterMs = clock.monotonicMs() - startedMs
      await client.until(() => client.notifications.length > 0)
      expect(client.notifications).toMatchObject([{ path: `${at}/one` }])
      expect((await ask(client, body.getChildren(at), texts)).value).toEqual(['kept'])
      expect(afterMs).toBeGreaterThan(0.8 * timeoutMs)
      expect(afterMs).toBeLessThan(10 * timeoutMs)
      expect((await raw(silent.session)).session.sessionId).toBe(0n)
    }),
  )

  test.concurrent(
    'pings alone keep it',
    onWire(async (client, at, { raw, clock }) => {
      const timeoutMs = stretchedMs(1_000) // longer than a busy machine keeps a ping waiting
      const idle = await raw({ timeoutMs }, 1)
      const startedMs = clock.monotonicMs()
      while (clock.monotonicMs() - startedMs < 2 * timeoutMs) {
        expect((await idle.request(op.ping)).error).toBe(0)
        await hear(client, body.exists(at))
      }
      expect((await hear(idle, body.exists(at))).error).toBe(errors.ok)
    }),
  )

  test.concurrent(
    'who comes with id and password takes the session over: same ephemerals, and what the former connection asks is refused',
    onWire(async (client, at, { raw }) => {
      await hear(client, body.create(`${at}/e`, { mode: modes.ephemeral }))
      const { session } = client
      const again = await raw(session)
      expect(again.session).toEqual(session)
      await client.closed
      expect((await statOf(again, `${at}/e`)).ephemeralOwner).toBe(session.sessionId)
      const elsewhere = await raw(session, 1)
      await hear(elsewhere, body.sync(at))
      expect((await statOf(elsewhere, `${at}/e`)).ephemeralOwner).toBe(session.sessionId)
      await hear(elsewhere, body.delete(`${at}/e`))
      expect((await hear(elsewhere, body.exists(`${at}/e`))).error).toBe(errors.noNode)
    }),
  )

  test.concurrent(
    'closeSession: one transaction takes all its ephemerals; it is answered, then the connection ends',
    onWire(async (client, at, { raw }) => {
      const leaving = await raw({}, 2)
      await hear(leaving, body.sync(at))
      for (const name of ['a', 'b']) {
        await hear(leaving, body.create(`${at}/${name}`))
        await hear(leaving, body.create(`${at}/${name}/e`, { mode: modes.ephemeral }))
      }
      const { error, zxid } = await hear(leaving, body.closeSession())
      await leaving.closed
      await hear(client, body.sync(at))
      const stats = [await statOf(client, `${at}/a`), await statOf(client, `${at}/b`)]
      expect(error).toBe(errors.ok)
      expect(stats.map(({ pzxid, numChildren, cversion }) => [pzxid, numChildren, cversion])).toEqual([
        [zxid, 0, 2],
        [zxid, 0, 2],
      ])
    }),
  )
})

describe('a session of the library', () => {
  test.concurrent(
    'expired: ephemerals gone, watchers of others reported, a new session that owns nothing of the old',
    inWorld(async (world) => {
      const client = await world.session()
      const watcher = await world.session()
      const { session } = client
      await session.create(`${world.root}/e`, bytes(''), 'ephemeral')
      await watcher.session.sync(world.root)
      const heard = new Promise((resolve) => {
        void watcher.session.exists(`${world.root}/e`, { watch: resolve })
      })
      await watcher.session.sync(world.root)
      const former = session.sessionId
      await world.expire(client)
      expect(await heard).toEqual({ type: 'deleted', path: `${world.root}/e` })
      await client.reaches('lost')
      await client.reaches('connected')
      expect(client.states).toEqual(['suspended', 'lost', 'connected'])
      expect(session.generation).toBe(2)
      expect(session.sessionId).not.toBe(former)
      await session.sync(world.root)
      expect(await session.exists(`${world.root}/e`)).toBeUndefined()
      await session.create(`${world.root}/e`, bytes(''), 'ephemeral')
      expect((await session.exists(`${world.root}/e`))?.ephemeralOwner).toBe(session.sessionId)
    }),
  )

  test.concurrent(
    'an answer that is cut off: the write is done and its outcome unknown; a request that is cut off is not',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open()
      const after = network.cutAfter('create')
      await expect(session.create(`${root}/after`, bytes(''))).rejects.toMatchObject({ outcome: 'unknown' })
      await after
      await reaches('connected')
      const before = network.cutBefore('create')
      await expect(session.create(`${root}/before`, bytes(''))).rejects.toMatchObject({ outcome: 'unknown' })
      await before
      await reaches('connected')
      await session.sync(root)
      expect((await session.children(root)).names).toEqual(['after'])
    }),
  )
})
