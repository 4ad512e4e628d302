import { describe, expect, test } from '@jest/globals'
import { followMembers, followValue, joinMembership, ZooKeeperError } from '../../../src/index.ts'
import { bytes, ending, inWorld, text, Heard } from '../../world/world.ts'

describe('joinMembership', () => {
  const place = (root: string): { path: string; name: string } => ({ path: `${root}/collector/c1`, name: 'status' })

  test.concurrent(
    'after a lost session it is made again with the latest data',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
      const watcher = await open()
      const membership = await joinMembership(session, { ...place(root), data: bytes('first') })
      await membership.update(bytes('second'))
      const heard = new Heard<string>()
      followValue(watcher.session, `${root}/collector/c1/status`, {
        onValue: (data, stat) => {
          heard.hear(`${text(data) ?? 'gone'} ${stat?.ephemeralOwner === session.sessionId ? 'current' : 'past'}`)
        },
      })
      await heard.first((value) => value === 'second current')
      network.weather = 'refusing'
      await reaches('lost')
      expect(membership.held).toBe(false)
      const updated = membership.update(bytes('third'))
      network.weather = 'through'
      await updated
      await heard.first((value) => value === 'third current')
      expect(membership.held).toBe(true)
    }),
  )

  test.concurrent(
    'a node that someone deletes is made again; leave removes it',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const other = await open()
      const heard = new Heard<string | undefined>()
      const membership = await joinMembership(session, { ...place(root), data: bytes('here') })
      followValue(other.session, `${root}/collector/c1/status`, {
        onValue: (_, stat) => {
          heard.hear(stat?.czxid)
        },
      })
      const first = await heard.first((czxid) => czxid !== undefined)
      await other.session.delete(`${root}/collector/c1/status`, 'any')
      await heard.first((czxid) => czxid !== undefined && czxid !== first)
      await membership.leave()
      expect(await session.exists(`${root}/collector/c1/status`)).toBeUndefined()
    }),
  )

  test.concurrent(
    'leave removes the ephemeral whose making again lost its answer',
    inWorld(async ({ session: open, root, expire }) => {
      const client = await open()
      const { session, network } = client
      const watcher = await open()
      const membership = await joinMembership(session, { ...place(root), data: bytes('here') })
      const created = network.cutAfter('create')
      await expire(client)
      await created
      await membership.leave()
      expect([session.generation, session.state]).toEqual([2, 'connected'])
      await watcher.session.sync(root)
      expect(await watcher.session.exists(`${root}/collector/c1/status`)).toBeUndefined()
      expect(membership.held).toBe(false)
      await membership.leave()
    }),
  )

  test.concurrent(
    'joins in spite of what passes: throttled, moved, overloaded',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const codes = ['throttled', 'session-moved', 'overloaded'] as const
      const refusals = codes.map((code) => new ZooKeeperError(code, 'again'))
      const create = session.create.bind(session)
      session.create = (...call) => {
        const refusal = call[2] === 'ephemeral' ? refusals.pop() : undefined
        return refusal === undefined ? create(...call) : Promise.reject(refusal)
      }
      const membership = await joinMembership(session, { ...place(root), data: bytes('here') })
      expect([membership.held, refusals]).toEqual([true, []])
    }),
  )

  test.concurrent(
    'another incarnation: refused with its data, or replaced in one transaction and the older one reported',
    inWorld(async ({ session: open, root }) => {
      const [older, newer] = [await open(), await open()]
      const count = (data: Uint8Array): number => Number(text(data))
      const refused = new Heard<string | undefined>()
      const join = (of: typeof older, incarnation: number): ReturnType<typeof joinMembership> =>
        joinMembership(of.session, {
          ...place(root),
          data: bytes(String(incarnation)),
          replaces: (existing) => count(existing) < incarnation,
          onRefused: (error) => {
            refused.hear(text(error.existing))
          },
        })
      const first = await join(older, 5)
      await expect(join(newer, 4)).rejects.toMatchObject({ code: 'refused', existing: Buffer.from('5') })
      const seen = new Heard<string>()
      followValue(newer.session, `${root}/collector/c1/status`, {
        onValue: (data) => {
          seen.hear(text(data) ?? 'gone')
        },
      })
      await seen.first((value) => value === '5')
      await join(newer, 6)
      expect(await refused.first(() => true)).toBe('6')
      expect(first.held).toBe(false)
      expect(await ending(first.update(bytes('7')))).toBe('refused not-done')
      await seen.first((value) => value === '6')
      expect(seen.all).toEqual(['5', '6'])
    }),
  )

  test.concurrent(
    'two that replace the same node at once: one is there, the other refused',
    inWorld(async ({ session: open, root }) => {
      const clients = [await open(), await open(), await open()]
      const results = await Promise.all(
        clients.map(({ session }, index) =>
          ending(joinMembership(session, { ...place(root), data: bytes(String(index)), replaces: () => false })),
        ),
      )
      expect(results.sort()).toEqual(['done', 'refused not-done', 'refused not-done'])
    }),
  )

  test.concurrent(
    'a flat group: one ephemeral per member below the path, its data followed, who leaves or dies is in the map no more',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const [one, two] = [await open(), await open()]
      const path = `${root}/group`
      const heard = new Heard<string>()
      const followed = followMembers(session, path, {
        name: '',
        onMembers: (members) => {
          heard.hear([...members].map(([id, data]) => `${id}=${text(data) ?? 'gone'}`).join(' '))
        },
      })
      const a = await joinMembership(one.session, { path, name: 'a', data: bytes('1') })
      await joinMembership(two.session, { path, name: 'b', data: bytes('1') })
      await heard.first((members) => members === 'a=1 b=1')
      await a.update(bytes('2'))
      await heard.first((members) => members === 'a=2 b=1')
      await two.session.close()
      await heard.first((members) => members === 'a=2')
      await a.leave()
      await heard.first((members) => members === '' && heard.all.length > 4)
      expect(heard.all.some((members) => members.includes('gone'))).toBe(false)
      expect((await followed.refresh()).size).toBe(0)
      await followed.close()
    }),
  )
})
