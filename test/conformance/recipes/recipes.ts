// Every recipe of the library, each with the story that shows its guarantee while its first client suffers. A new recipe is
// one entry here.

import { expect } from '@jest/globals'
import {
  acquireFence,
  announceService,
  configuration,
  exclusiveLock,
  fifoQueue,
  followChildren,
  followMembers,
  followService,
  followTree,
  followValue,
  joinElection,
  joinMembership,
  type Configuration,
  type ZooKeeperSession,
} from '@catchment/coordination'
import {
  barrier,
  doubleBarrier,
  joinHotStandby,
  joinPartitioner,
  priorityQueue,
  semaphore,
  sharedLock,
  type Active,
  type OwnedItem,
  type Round,
} from '@catchment/coordination/recipes'
import { bytes, text, type Client } from '../../../packages/coordination/test/world/world.ts'
import { followsTo } from './followers.ts'
import { addsOnce, idsOnce, putsAndTakes } from './each-once.ts'
import type { Recipe } from './scene.ts'
import { holder, takesTurns } from './turns.ts'

const leases = (session: ZooKeeperSession, path: string, id: string): ReturnType<typeof holder> =>
  holder(semaphore(session, { path, id, leases: 1 }).acquire())

export const recipes: Readonly<Record<string, Recipe>> = {
  'election: one leads, in turn': takesTurns((session, path, id) => {
    const election = joinElection(session, { path, id, onElected: () => undefined, onDeposed: () => undefined })
    return { held: () => election.leading, token: () => undefined, leave: () => election.resign(), comesBack: true }
  }),

  'exclusive lock: one holds, tokens grow': takesTurns((session, path, id) =>
    holder(exclusiveLock(session, { path, id }).acquire()),
  ),

  'shared lock: one writer holds, tokens grow': takesTurns((session, path, id) =>
    holder(sharedLock(session, { path, id }).write.acquire()),
  ),

  'shared lock: a reader holds back the writers': takesTurns((session, path, id) => {
    const lock = sharedLock(session, { path, id })
    return holder((id === 'a' ? lock.read : lock.write).acquire())
  }),

  'semaphore of one lease: one holds': takesTurns(leases),

  'hot standby: one is active, with what its predecessor saved': takesTurns((session, path, id) => {
    let active: Active | undefined
    const member = joinHotStandby(session, {
      path,
      id,
      run: async (now) => {
        const saved = Number(text(now.context) ?? 0)
        await now.save(bytes(String(saved + 1)))
        active = now
        await aborted(now.signal)
      },
    })
    return {
      held: () => active?.held ?? false,
      token: () => active?.token,
      leave: () => member.leave(),
      comesBack: true,
    }
  }),

  'partitioner: an item has one owner': takesTurns((session, path, id) => {
    let owned: OwnedItem | undefined
    const joined = joinPartitioner(session, {
      path,
      id,
      items: ['item'],
      onAcquired: ([item]) => (owned = item),
      onRelease: () => undefined,
      onLost: () => undefined,
    })
    return {
      held: () => owned?.held ?? false,
      token: () => owned?.token,
      leave: async () => (await joined).leave(),
      comesBack: true,
      anyTurn: true,
    }
  }),

  'membership: there, once, with the latest data': async ({ path, open, prepare, strike, endsSession }) => {
    const [{ session }, observer] = [await open(), await open()]
    prepare()
    const membership = await joinMembership(session, { path, name: 'status', data: bytes('1') })
    const former = session.sessionId
    await strike()
    await membership.update(bytes('2'))
    await observer.session.sync(path)
    const { data, stat } = await observer.session.get(`${path}/status`)
    expect([text(data), stat.ephemeralOwner, session.sessionId === former]).toEqual([
      '2',
      session.sessionId,
      !endsSession,
    ])
    await membership.leave()
  },

  'fence: terms grow, and only the last holds': async ({ path, open, prepare, strike }) => {
    const [victim, other] = [await open(), await open()]
    const claim = (previous: Uint8Array | undefined): Uint8Array => bytes(String(Number(text(previous) ?? 0) + 1))
    await victim.session.ensurePath(path)
    prepare()
    const first = await acquireFence(victim.session, `${path}/leader`, claim)
    await strike()
    await victim.session.multi([first.check])
    const second = await acquireFence(other.session, `${path}/leader`, claim)
    expect(Number(text(second.data))).toBe(Number(text(first.data)) + 1)
    await expect(victim.session.multi([first.check])).rejects.toMatchObject({ code: 'bad-version' })
    await other.session.multi([second.check])
  },

  'followValue: the latest, never an older one after a newer': followsTo({
    follow: (session, path, hear) =>
      followValue(session, path, {
        onValue: (data) => {
          hear(Number(text(data) ?? 0))
        },
      }),
    change: async (session, path, count) => {
      await session.set(path, bytes(String(count)), 'any')
      return undefined
    },
  }),

  'followChildren: all names, never fewer again': followsTo({
    follow: (session, path, hear) =>
      followChildren(session, path, {
        onChildren: ({ length }) => {
          hear(length)
        },
      }),
    change: async (session, path, count) => {
      await session.create(`${path}/${count}`, bytes(''))
      return undefined
    },
  }),

  'followMembers: all who are there': followsTo({
    follow: (session, path, hear) =>
      followMembers(session, path, {
        onMembers: (members) => {
          hear([...members.values()].filter((data) => data !== undefined).length)
        },
      }),
    change: async (session, path, count) => {
      const membership = await joinMembership(session, { path: `${path}/${count}`, name: 'status', data: bytes('') })
      return () => membership.leave()
    },
  }),

  'followTree: the whole tree': followsTo({
    follow: (session, path, hear) =>
      followTree(session, path, {
        onTree: ({ tree }) => {
          hear(tree.size - 1)
        },
      }),
    change: async (session, path, count) => {
      await session.create(`${path}/${count}`, bytes(''))
      return undefined
    },
  }),

  'service discovery: all endpoints': followsTo({
    follow: (session, path, hear) =>
      followService(session, {
        path,
        name: 'service',
        onEndpoints: ({ length }) => {
          hear(length)
        },
      }),
    change: async (session, path, count) => {
      const endpoint = bytes('here')
      const announcement = await announceService(session, { path, name: 'service', id: String(count), endpoint })
      return () => announcement.withdraw()
    },
  }),

  'configuration: the latest version': followsTo({
    follow: (session, path, hear) =>
      counts(session, path).follow({
        onValue: (value) => {
          hear(value ?? 0)
        },
      }),
    change: async (session, path, count) => {
      await counts(session, path).publish(count)
      return undefined
    },
  }),

  'sequential ids: each once, in order': idsOnce,

  'shared counter: each addition once': addsOnce,

  'barrier: who waits goes on when it is removed': async ({ path, open, prepare, strike }) => {
    const [victim, other] = [await open(), await open()]
    await barrier(other.session, { path }).set()
    await victim.session.sync(path)
    prepare()
    const waiting = endless(barrier(victim.session, { path }).wait())
    await strike()
    expect(waiting.ended()).toBe(false)
    await barrier(other.session, { path }).remove()
    await waiting.ends
  },

  'double barrier: all in one round, all out': async ({ path, open, prepare, strike, endsSession }) => {
    const [victim, other] = [await open(), await open()]
    const enter = ({ session }: Client, id: string): Promise<Round> =>
      doubleBarrier(session, { path, id, size: 2 }).enter()
    prepare()
    const [a, b] = await Promise.all([enter(victim, 'a'), enter(other, 'b')])
    expect(a.number).toBe(b.number)
    await strike()
    const left = await Promise.allSettled([a.leave(), b.leave()])
    expect(left.map(({ status }) => status)).toEqual([endsSession ? 'rejected' : 'fulfilled', 'fulfilled'])
  },

  'fifo queue: each put once, taken once, in order': async (scene) => {
    await putsAndTakes(scene, (session, path) => fifoQueue(session, { path, itemsMax: 100 }))
  },

  'priority queue: each put once, taken once, in order': async (scene) => {
    await putsAndTakes(scene, (session, path) => {
      const queue = priorityQueue(session, { path, itemsMax: 100 })
      return { ...queue, put: (data) => queue.put(data, 5) }
    })
  },

  'queue item: in one hand; back in its place when its taker is lost': takesTurns((session, path, id) => {
    const queue = fifoQueue(session, { path, itemsMax: 10 })
    const taken = id === 'a' ? queue.put(bytes('job')).then(() => queue.takeLocked()) : queue.takeLocked()
    return holder(taken)
  }),
}

const counts = (session: ZooKeeperSession, path: string): Configuration<number> =>
  configuration(session, { path, id: 'test', parse: Number })

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve()
    })
    if (signal.aborted) resolve()
  })

/** A promise that can be asked whether it has ended. */
function endless(ends: Promise<void>): { ends: Promise<void>; ended: () => boolean } {
  let ended = false
  const watched = ends.finally(() => (ended = true))
  watched.catch(() => undefined) // who awaits it hears of it
  return { ends: watched, ended: () => ended }
}
