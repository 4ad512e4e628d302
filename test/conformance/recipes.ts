// Every recipe of the library, each with the story that shows its guarantee while its first client suffers. A new recipe is
// one entry here.

import { expect } from '@jest/globals'
import {
  acquireFence,
  barrier,
  doubleBarrier,
  exclusiveLock,
  fifoQueue,
  followChildren,
  followMembers,
  followValue,
  joinElection,
  joinMembership,
  priorityQueue,
  semaphore,
  sharedLock,
  type FifoQueue,
  type Round,
  type ZooKeeperSession,
} from '@catchment/coordination'
import { eventually } from '@catchment/testing'
import { bytes, text, type Client } from '../../packages/coordination/test/world.ts'
import { followsTo } from './followers.ts'
import { holder, takesTurns } from './turns.ts'

/** What a story has at hand: a node of its own, and one victim, who suffers between `prepare` and the end of `strike`. */
export interface Scene {
  readonly path: string
  /** Opens a client; the first one opened is the victim. */
  readonly open: () => Promise<Client>
  /** Arms the faults that strike the victim's next request. */
  readonly prepare: () => void
  /** Strikes the victim at rest. */
  readonly strike: () => Promise<void>
  readonly endsSession: boolean
}

export type Recipe = (scene: Scene) => Promise<void>

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
    follow: (session, path, tell) =>
      followValue(session, path, {
        onValue: (data) => {
          tell(Number(text(data) ?? 0))
        },
      }),
    change: async (session, path, count) => {
      await session.set(path, bytes(String(count)), 'any')
      return undefined
    },
  }),

  'followChildren: all names, never fewer again': followsTo({
    follow: (session, path, tell) =>
      followChildren(session, path, {
        onChildren: ({ length }) => {
          tell(length)
        },
      }),
    change: async (session, path, count) => {
      await session.create(`${path}/${count}`, bytes(''))
      return undefined
    },
  }),

  'followMembers: all who are there': followsTo({
    follow: (session, path, tell) =>
      followMembers(session, path, {
        onMembers: (members) => {
          tell([...members.values()].filter((data) => data !== undefined).length)
        },
      }),
    change: async (session, path, count) => {
      const membership = await joinMembership(session, { path: `${path}/${count}`, name: 'status', data: bytes('') })
      return () => membership.leave()
    },
  }),

  'barrier: who waits goes on when it is removed': async ({ path, open, prepare, strike }) => {
    const [victim, other] = [await open(), await open()]
    await barrier(other.session, { path }).set()
    await victim.session.sync(path)
    prepare()
    const waiting = endless(barrier(victim.session, { path }).wait({ timeoutMs: 20_000 }))
    await strike()
    expect(waiting.ended()).toBe(false)
    await barrier(other.session, { path }).remove()
    await waiting.ends
  },

  'double barrier: all in one round, all out': async ({ path, open, prepare, strike, endsSession }) => {
    const [victim, other] = [await open(), await open()]
    const call = { timeoutMs: 20_000 }
    const enter = ({ session }: Client, id: string): Promise<Round> =>
      doubleBarrier(session, { path, id, size: 2 }).enter(call)
    prepare()
    const [a, b] = await Promise.all([enter(victim, 'a'), enter(other, 'b')])
    expect(a.number).toBe(b.number)
    await strike()
    const left = await Promise.allSettled([a.leave(call), b.leave(call)])
    expect(left.map(({ status }) => status)).toEqual([endsSession ? 'rejected' : 'fulfilled', 'fulfilled'])
  },

  'fifo queue: each put once, taken once, in order': async (scene) => {
    await queues(scene, (session, path) => fifoQueue(session, { path, itemsMax: 100 }))
  },

  'priority queue: each put once, taken once, in order': async (scene) => {
    await queues(scene, (session, path) => {
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

type TestedQueue = Pick<FifoQueue, 'take' | 'size'> & { readonly put: (data: Uint8Array) => Promise<unknown> }

/** The victim puts and takes; another has put before and takes too. */
async function queues(
  { path, open, prepare, strike }: Scene,
  queueOf: (session: ZooKeeperSession, path: string) => TestedQueue,
): Promise<void> {
  const [victim, other] = [await open(), await open()]
  const [own, others] = [queueOf(victim.session, path), queueOf(other.session, path)]
  await others.put(bytes('0'))
  await victim.session.sync(path)
  prepare()
  for (const item of ['1', '2', '3']) await own.put(bytes(item))
  await strike()
  const call = { timeoutMs: 20_000 }
  const taken = [await own.take(call), await others.take(call), await own.take(call), await others.take(call)]
  expect(taken.map(text)).toEqual(['0', '1', '2', '3'])
  expect(await others.size()).toBe(0)
  await victim.session.close() // receipts of puts whose answer was lost end with the session
}

/** A promise that can be asked whether it has ended. */
function endless(ends: Promise<void>): { ends: Promise<void>; ended: () => boolean } {
  let ended = false
  const watched = ends.finally(() => (ended = true))
  return { ends: watched, ended: () => ended }
}

/** After a story: none of its clients, which are still connected, has left an ephemeral behind. */
export async function nothingHeld({ session }: Client, path: string): Promise<void> {
  await eventually('what was held to be gone', async () => {
    await session.sync(path)
    const held = await heldBelow(session, path)
    if (held.length > 0) throw new Error(`there is still ${held.join(', ')}`)
    return true
  })
}

async function heldBelow(session: ZooKeeperSession, path: string): Promise<string[]> {
  if ((await session.exists(path)) === undefined) return []
  const { names } = await session.children(path)
  const below = await Promise.all(
    names.map(async (name) => {
      const stat = await session.exists(`${path}/${name}`)
      if (stat?.ephemeralOwner !== undefined) return [`${path}/${name}`]
      return stat === undefined ? [] : heldBelow(session, `${path}/${name}`)
    }),
  )
  return below.flat()
}
