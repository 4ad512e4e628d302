import { describe, expect, test } from '@jest/globals'
import {
  followChildren,
  followMembers,
  followTree,
  followValue,
  joinMembership,
  type Members,
  type ZooKeeperSession,
} from '../../src/index.ts'
import { ownServers } from '../world/servers.ts'
import { bytes, ending, inWorld, inWorldOn, text, Heard } from '../world/world.ts'

describe('followValue', () => {
  test.concurrent(
    'reports absence, creation, change, deletion; refresh sees at least what another session has seen',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const other = await open()
      const heard = new Heard<string>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          heard.hear(text(data) ?? 'absent')
        },
      })
      await heard.first((value) => value === 'absent')
      await other.session.create(`${root}/v`, bytes('one'))
      await heard.first((value) => value === 'one')
      await other.session.set(`${root}/v`, bytes('two'), 'any')
      expect(text((await followed.refresh()).data)).toBe('two')
      expect(heard.last).toBe('two')
      await other.session.delete(`${root}/v`, 'any')
      await other.session.create(`${root}/v`, bytes('three'))
      await heard.first((value) => value === 'three')
      expect(followed.stale).toBe(false)
      await followed.close()
      await other.session.set(`${root}/v`, bytes('four'), 'any')
      await session.sync(root)
      expect(heard.last).toBe('three')
      expect(await ending(followed.refresh())).toBe('closed not-done')
    }),
  )

  test.concurrent(
    'hundreds of changes through cuts: delivered in order, the last one delivered',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const other = await open()
      await session.create(`${root}/v`, bytes('0'))
      const heard = new Heard<number>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          heard.hear(Number(text(data)))
        },
      })
      for (let value = 1; value <= 400; value += 1) {
        await other.session.set(`${root}/v`, bytes(String(value)), 'any')
        if (value % 100 === 50) network.cut()
      }
      await heard.first((value) => value === 400)
      expect(heard.all).toEqual([...heard.all].sort((one, another) => one - another))
      expect(new Set(heard.all).size).toBe(heard.all.length)
      await followed.close()
    }),
  )

  test.concurrent(
    'stale while cut off, and across a lost session the change is found again',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
      const other = await open()
      await session.create(`${root}/v`, bytes('before'))
      const heard = new Heard<string>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          heard.hear(text(data) ?? 'absent')
        },
        onStale: (stale) => {
          heard.hear(stale ? 'stale' : 'fresh')
        },
      })
      await heard.first((value) => value === 'fresh')
      network.cut()
      await heard.first(() => heard.all.length === 4)
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
      await heard.first((value) => value === 'after')
      await heard.first(() => heard.all.length === 7)
      expect(heard.all).toEqual(['before', 'fresh', 'stale', 'fresh', 'stale', 'after', 'fresh'])
      expect(syncs).toBe(1)
      await followed.refresh()
      expect(syncs).toBe(2)
      await followed.close()
    }),
  )

  test.concurrent(
    'a follower that throws is logged and reported the next change all the same',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const heard = new Heard<string>()
      const followed = followValue(session, `${root}/v`, {
        onValue: (data) => {
          heard.hear(text(data) ?? 'absent')
          throw new Error('a bug of the follower')
        },
      })
      await heard.first((value) => value === 'absent')
      await session.create(`${root}/v`, bytes('one'))
      await heard.first((value) => value === 'one')
      await followed.close()
    }),
  )
})

describe('followChildren and followMembers', () => {
  test.concurrent(
    'followChildren reports names in order, of a node that comes later too',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const heard = new Heard<string>()
      const followed = followChildren(session, `${root}/c`, {
        onChildren: (names) => {
          heard.hear(names.join())
        },
      })
      await heard.first((names) => names === '')
      await session.ensurePath(`${root}/c/b`)
      await session.ensurePath(`${root}/c/a`)
      await heard.first((names) => names === 'a,b')
      await session.delete(`${root}/c/b`, 'any')
      expect(await followed.refresh()).toEqual(['a'])
      await followed.close()
    }),
  )

  test.concurrent(
    'followMembers reports who is there, with its data, and who is gone',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const [one, two] = [await open(), await open()]
      const heard = new Heard<string>()
      const show = (members: Members): string =>
        [...members].map(([id, data]) => `${id}=${text(data) ?? 'gone'}`).join(' ')
      const followed = followMembers(session, `${root}/collector`, {
        onMembers: (members) => {
          heard.hear(show(members))
        },
      })
      await heard.first((members) => members === '')
      const join = (member: typeof one, id: string): ReturnType<typeof joinMembership> =>
        joinMembership(member.session, { path: `${root}/collector/${id}`, name: 'status', data: bytes('1') })
      const c1 = await join(one, 'c1')
      await join(two, 'c2')
      await heard.first((members) => members === 'c1=1 c2=1')
      await c1.update(bytes('2'))
      await heard.first((members) => members === 'c1=2 c2=1')
      const late = new Heard<string>()
      const followedLate = followMembers(session, `${root}/collector`, {
        onMembers: (members) => {
          late.hear(show(members))
        },
      })
      expect(await late.first(() => true)).toBe('c1=2 c2=1')
      await followedLate.close()
      await two.session.close()
      await heard.first((members) => members === 'c1=2 c2=gone')
      await session.delete(`${root}/collector/c2`, 'any')
      await heard.first((members) => members === 'c1=2')
      expect(show(await followed.refresh())).toBe('c1=2')
      await followed.close()
    }),
  )
})

type Closable = { close(): Promise<void> }
const followers: Readonly<Record<string, (session: ZooKeeperSession, path: string) => Closable>> = {
  followValue: (session, path) => followValue(session, path, { onValue: () => undefined }),
  followChildren: (session, path) => followChildren(session, path, { onChildren: () => undefined }),
  followMembers: (session, path) => followMembers(session, path, { onMembers: () => undefined }),
  followTree: (session, path) => followTree(session, path, { onTree: () => undefined }),
}

test.concurrent(
  'close() of each follower leaves no watch on any server, whether it ends while it reads, after it or while cut off',
  async () => {
    const servers = await ownServers()
    const watchCount = async (): Promise<number> => {
      const answers = await servers.word('mntr')
      return answers.reduce((sum, answer) => sum + Number(/zk_watch_count\t(\d+)/.exec(answer)?.[1]), 0)
    }
    const story = inWorldOn(
      () => Promise.resolve(servers),
      async ({ session: open, root, eventually }) => {
        const { session, network, reaches } = await open()
        for (const name of ['a', 'b', 'c']) await session.create(`${root}/${name}`, bytes('1'))
        const noneLeft = (what: string): Promise<true> =>
          eventually(`no watch of ${what} is left`, async () => (await watchCount()) === 0)
        for (const [name, follow] of Object.entries(followers)) {
          for (const path of [root, `${root}/absent`]) {
            const settled = follow(session, path)
            await eventually(`${name} watches`, async () => (await watchCount()) > 0)
            await session.sync(root)
            await settled.close()
            await noneLeft(`${name} of ${path}`)
          }
          await follow(session, root).close()
          const reading = follow(session, root)
          await session.sync(root)
          await reading.close()
          await noneLeft(`${name}, closed while it read`)
          const cutOff = follow(session, root)
          await eventually(`${name} watches`, async () => (await watchCount()) > 0)
          const suspended = reaches('suspended')
          network.cut()
          await suspended
          await cutOff.close()
          await reaches('connected')
          await session.sync(root)
          await noneLeft(`${name}, closed while cut off`)
        }
      },
    )
    try {
      await story()
    } finally {
      await servers.close()
    }
  },
)
