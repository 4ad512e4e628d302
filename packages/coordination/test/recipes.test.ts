import { describe, expect, test } from '@jest/globals'
import {
  acquireFence,
  followChildren,
  followMembers,
  followValue,
  joinMembership,
  type Members,
  type Operation,
} from '../src/index.ts'
import { bytes, ending, inWorld, text, Told } from './world.ts'

describe('followValue', () => {
  test(
    'tells absence, creation, change, deletion; refresh is never behind another session',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const other = await open()
      const told = new Told<string>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          told.tell(text(data) ?? 'absent')
        },
      })
      await told.first((value) => value === 'absent')
      await other.session.create(`${root}/v`, bytes('one'))
      await told.first((value) => value === 'one')
      await other.session.set(`${root}/v`, bytes('two'), 'any')
      expect(text((await followed.refresh()).data)).toBe('two')
      expect(told.last).toBe('two')
      await other.session.delete(`${root}/v`, 'any')
      await other.session.create(`${root}/v`, bytes('three'))
      await told.first((value) => value === 'three')
      expect(followed.stale).toBe(false)
      await followed.close()
      await other.session.set(`${root}/v`, bytes('four'), 'any')
      await session.sync(root)
      expect(told.last).toBe('three')
      expect(await ending(followed.refresh())).toBe('closed not-done')
    }),
  )

  test(
    'hundreds of changes through cuts: delivered in order, the last one delivered',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const other = await open()
      await session.create(`${root}/v`, bytes('0'))
      const told = new Told<number>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          told.tell(Number(text(data)))
        },
      })
      for (let value = 1; value <= 400; value += 1) {
        await other.session.set(`${root}/v`, bytes(String(value)), 'any')
        if (value % 100 === 50) network.cut()
      }
      await told.first((value) => value === 400)
      expect(told.all).toEqual([...told.all].sort((one, another) => one - another))
      expect(new Set(told.all).size).toBe(told.all.length)
      await followed.close()
    }),
  )

  test(
    'stale while cut off, and across a lost session the change is found again',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_000 })
      const other = await open()
      await session.create(`${root}/v`, bytes('before'))
      const told = new Told<string>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          told.tell(text(data) ?? 'absent')
        },
        onStale: (stale) => {
          told.tell(stale ? 'stale' : 'fresh')
        },
      })
      await told.first((value) => value === 'fresh')
      network.cut()
      await told.first(() => told.all.length === 4)
      let syncs = 0
      const sync = session.sync.bind(session)
      session.sync = (...call) => {
        syncs += 1
        return sync(...call)
      }
      network.weather = 'refusing'
      await reaches('lost')
      expect(followed.stale).toBe(true)
      await other.session.set(`${root}/v`, bytes('after'), 'any')
      network.weather = 'through'
      await told.first((value) => value === 'after')
      await told.first(() => told.all.length === 7)
      expect(told.all).toEqual(['before', 'fresh', 'stale', 'fresh', 'stale', 'after', 'fresh'])
      expect(syncs).toBe(1)
      await followed.refresh()
      expect(syncs).toBe(2)
      await followed.close()
    }),
  )

  test(
    'a follower that throws is logged and told the next change all the same',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const told = new Told<string>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          told.tell(text(data) ?? 'absent')
          throw new Error('a bug of the follower')
        },
      })
      await told.first((value) => value === 'absent')
      await session.create(`${root}/v`, bytes('one'))
      await told.first((value) => value === 'one')
      await followed.close()
    }),
  )
})

describe('followChildren and followMembers', () => {
  test(
    'followChildren tells names in order, of a node that comes later too',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const told = new Told<string>()
      const followed = followChildren(session, `${root}/c`, {
        onChildren: (names) => {
          told.tell(names.join())
        },
      })
      await told.first((names) => names === '')
      await session.ensurePath(`${root}/c/b`)
      await session.ensurePath(`${root}/c/a`)
      await told.first((names) => names === 'a,b')
      await session.delete(`${root}/c/b`, 'any')
      expect(await followed.refresh()).toEqual(['a'])
      await followed.close()
    }),
  )

  test(
    'followMembers tells who is there, with its data, and who is gone',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const [one, two] = [await open(), await open()]
      const told = new Told<string>()
      const show = (members: Members): string =>
        [...members].map(([id, data]) => `${id}=${text(data) ?? 'gone'}`).join(' ')
      const followed = followMembers(session, `${root}/collector`, {
        onMembers: (members) => {
          told.tell(show(members))
        },
      })
      await told.first((members) => members === '')
      const join = (member: typeof one, id: string): ReturnType<typeof joinMembership> =>
        joinMembership(member.session, { path: `${root}/collector/${id}`, name: 'status', data: bytes('1') })
      const c1 = await join(one, 'c1')
      await join(two, 'c2')
      await told.first((members) => members === 'c1=1 c2=1')
      await c1.update(bytes('2'))
      await told.first((members) => members === 'c1=2 c2=1')
      const late = new Told<string>()
      const followedLate = followMembers(session, `${root}/collector`, {
        onMembers: (members) => {
          late.tell(show(members))
        },
      })
      expect(await late.first(() => true)).toBe('c1=2 c2=1')
      await followedLate.close()
      await two.session.close()
      await told.first((members) => members === 'c1=2 c2=gone')
      await session.delete(`${root}/collector/c2`, 'any')
      await told.first((members) => members === 'c1=2')
      expect(show(await followed.refresh())).toBe('c1=2')
      await followed.close()
    }),
  )
})

describe('joinMembership', () => {
  const place = (root: string): { path: string; name: string } => ({ path: `${root}/collector/c1`, name: 'status' })

  test(
    'after a lost session it is made anew with the latest data',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_000 })
      const watcher = await open()
      const membership = await joinMembership(session, { ...place(root), data: bytes('first') })
      await membership.update(bytes('second'))
      const told = new Told<string>()
      followValue(watcher.session, `${root}/collector/c1/status`, {
        onValue: (data, stat) => {
          told.tell(`${text(data) ?? 'gone'} ${stat?.ephemeralOwner === session.sessionId ? 'current' : 'past'}`)
        },
      })
      await told.first((value) => value === 'second current')
      network.weather = 'refusing'
      await reaches('lost')
      expect(membership.held).toBe(false)
      const updated = membership.update(bytes('third'))
      network.weather = 'through'
      await updated
      await told.first((value) => value === 'third current')
      expect(membership.held).toBe(true)
    }),
  )

  test(
    'a node that someone deletes is made again; leave removes it',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const other = await open()
      const told = new Told<string | undefined>()
      const membership = await joinMembership(session, { ...place(root), data: bytes('here') })
      followValue(other.session, `${root}/collector/c1/status`, {
        onValue: (_, stat) => {
          told.tell(stat?.czxid)
        },
      })
      const first = await told.first((czxid) => czxid !== undefined)
      await other.session.delete(`${root}/collector/c1/status`, 'any')
      await told.first((czxid) => czxid !== undefined && czxid !== first)
      await membership.leave()
      expect(await session.exists(`${root}/collector/c1/status`)).toBeUndefined()
    }),
  )

  test(
    'another incarnation: refused with its data, or replaced in one transaction and the older one told',
    inWorld(async ({ session: open, root }) => {
      const [older, newer] = [await open(), await open()]
      const count = (data: Uint8Array): number => Number(text(data))
      const refused = new Told<string | undefined>()
      const join = (of: typeof older, incarnation: number): ReturnType<typeof joinMembership> =>
        joinMembership(of.session, {
          ...place(root),
          data: bytes(String(incarnation)),
          replaces: (existing) => count(existing) < incarnation,
          onRefused: (error) => {
            refused.tell(text(error.existing))
          },
        })
      const first = await join(older, 5)
      await expect(join(newer, 4)).rejects.toMatchObject({ code: 'refused', existing: Buffer.from('5') })
      const seen = new Told<string>()
      followValue(newer.session, `${root}/collector/c1/status`, {
        onValue: (data) => {
          seen.tell(text(data) ?? 'gone')
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

  test(
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
})

describe('acquireFence', () => {
  const claim = (name: string) => (previous: Uint8Array | undefined) =>
    bytes(`${name} ${Number(text(previous)?.split(' ')[1] ?? 0) + 1}`)

  test(
    'terms grow, and the transaction of a deposed leader fails with bad-version at the check',
    inWorld(async ({ session: open, root }) => {
      const [a, b] = [await open(), await open()]
      await a.session.create(`${root}/assignment`, bytes(''))
      const publish = (check: Operation, data: string): readonly Operation[] => [
        check,
        { op: 'set', path: `${root}/assignment`, data: bytes(data), version: 'any' },
      ]
      const first = await acquireFence(a.session, `${root}/leader`, claim('a'))
      expect({ version: first.version, claim: text(first.data) }).toEqual({ version: 0, claim: 'a 1' })
      await a.session.multi(publish(first.check, 'by a'))
      const second = await acquireFence(b.session, `${root}/leader`, claim('b'))
      expect({ version: second.version, claim: text(second.data) }).toEqual({ version: 1, claim: 'b 2' })
      await expect(a.session.multi(publish(first.check, 'by a, too late'))).rejects.toMatchObject({
        code: 'bad-version',
        operationIndex: 0,
      })
      await b.session.multi(publish(second.check, 'by b'))
      expect(text((await b.session.get(`${root}/assignment`)).data)).toBe('by b')
    }),
  )

  test(
    'claimed by five at once: all get different versions, the last one holds',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const fences = await Promise.all(
        ['a', 'b', 'c', 'd', 'e'].map((name) => acquireFence(session, `${root}/leader`, claim(name))),
      )
      expect(new Set(fences.map(({ version }) => version)).size).toBe(5)
      const holds = await Promise.all(fences.map(({ check }) => ending(session.multi([check]))))
      expect(holds.filter((end) => end === 'done')).toHaveLength(1)
    }),
  )

  test(
    'an answer that is lost: claimed anew over its own claim',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_000 })
      await session.create(`${root}/leader`, bytes('z 1'))
      const fence = acquireFence(session, `${root}/leader`, (previous) => {
        if (text(previous) === 'z 1') network.weather = 'mute'
        return claim('a')(previous)
      })
      await reaches('suspended')
      network.weather = 'refusing'
      network.weather = 'through'
      expect(text((await fence).data)).toBe('a 3')
      expect(await ending(session.multi([(await fence).check]))).toBe('done')
    }),
  )
})
