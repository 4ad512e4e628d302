import { describe, expect, test } from '@jest/globals'
import { fifoQueue, isCode, ZooKeeperError, type FifoQueue, type ZooKeeperSession } from '../../../src/index.ts'
import { priorityQueue } from '../../../src/recipes.ts'
import { bytes, ending, inWorld, text, wrongLimits, stretchedMs } from '../../world/world.ts'

const options = (root: string) => ({ path: `${root}/queue`, itemsMax: 100 })
const all = async (queue: Pick<FifoQueue, 'take' | 'size'>): Promise<(string | undefined)[]> => {
  const taken: (string | undefined)[] = []
  while ((await queue.size()) > 0) taken.push(text(await queue.take()))
  return taken
}

/** An attempt that was never sent, for all that anybody knows: its answer is lost. */
function loseNextMulti(session: ZooKeeperSession): void {
  const multi = session.multi.bind(session)
  session.multi = () => {
    session.multi = multi
    return Promise.reject(new ZooKeeperError('connection-lost', 'cut', { outcome: 'unknown' }))
  }
}

/** Until it is gone: who still uses it may put something there meanwhile. */
async function deleteAll(session: ZooKeeperSession, path: string): Promise<void> {
  const { names } = await session.children(path)
  for (const name of names) await deleteAll(session, `${path}/${name}`)
  try {
    await session.delete(path, 'any')
  } catch (thrown) {
    if (isCode(thrown, 'not-empty')) await deleteAll(session, path)
    else if (!isCode(thrown, 'no-node')) throw thrown
  }
}

describe('fifoQueue', () => {
  test.concurrent(
    'what is refused of a completion was not done, also when an attempt before had no answer',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = fifoQueue(session, options(root))
      await queue.put(bytes('a'))
      const item = await queue.takeLocked()
      loseNextMulti(session)
      const also = [{ op: 'set', path: `${root}/absent`, data: bytes(''), version: 'any' }] as const
      expect(await ending(item.complete(also))).toBe('no-node not-done')
      expect(await queue.size()).toBe(1)
    }),
  )

  test.concurrent(
    'an operation that puts is refused by a queue that was never used; limits that are none are refused',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = fifoQueue(session, options(root))
      expect(() => queue.putOperation(bytes('a'))).toThrow('await size() of it first')
      await queue.size()
      await session.multi([queue.putOperation(bytes('a'))])
      expect(await queue.size()).toBe(1)
      const calls = [
        queue.take(wrongLimits),
        queue.takeLocked(wrongLimits),
        queue.size(wrongLimits),
        queue.peek(wrongLimits),
      ]
      expect(new Set(await Promise.all(calls.map(ending)))).toEqual(new Set(['bad-arguments not-done']))
    }),
  )

  test.concurrent(
    'first in, first out, from several putters; size and peek see it',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const [putter, taker] = [fifoQueue(one.session, options(root)), fifoQueue(two.session, options(root))]
      expect(await taker.peek()).toBeUndefined()
      expect(await taker.size()).toBe(0)
      for (const item of ['a', 'b', 'c']) await putter.put(bytes(item))
      await taker.put(bytes('d'))
      expect(await putter.size()).toBe(4)
      expect(text((await taker.peek())?.data)).toBe('a')
      expect(await all(taker)).toEqual(['a', 'b', 'c', 'd'])
    }),
  )

  test.concurrent(
    'takers wait in line: each item wakes one, and each gets one',
    inWorld(async ({ session: open, root }) => {
      const clients = [await open(), await open(), await open()]
      const queues = clients.map(({ session }) => fifoQueue(session, options(root)))
      const taken = Promise.all(queues.map(async (queue) => text(await queue.take())))
      const { session } = await open()
      const putter = fifoQueue(session, options(root))
      for (const item of ['a', 'b', 'c']) await putter.put(bytes(item))
      expect((await taken).sort()).toEqual(['a', 'b', 'c'])
    }),
  )

  test.concurrent(
    'takeLocked: stays in the queue for no one else until completed; released, it is in its old place',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const [here, there] = [fifoQueue(one.session, options(root)), fifoQueue(two.session, options(root))]
      for (const item of ['a', 'b', 'c']) await here.put(bytes(item))
      const a = await here.takeLocked()
      const b = await there.takeLocked()
      expect([text(a.data), text(b.data)]).toEqual(['a', 'b'])
      expect([a.held, a.attempts, b.token > a.token]).toEqual([true, 1, true])
      await b.complete()
      expect(b.held).toBe(false)
      expect(await here.size()).toBe(2)
      await a.release()
      expect([a.held, a.signal.aborted]).toEqual([false, true])
      const again = await fifoQueue(two.session, options(root)).takeLocked()
      expect([text(again.data), again.attempts, again.token > a.token]).toEqual(['a', 2, true])
      expect(await ending(a.complete())).toBe('refused not-done')
      await again.complete()
      expect(await all(there)).toEqual(['c'])
    }),
  )

  test.concurrent(
    'complete with more operations: all of it or nothing; refused, it reports which, and the item goes back',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = fifoQueue(session, options(root))
      await queue.put(bytes('a'))
      const check = { op: 'check', path: root, version: 0 } as const
      const create = { op: 'create', path: `${root}/done`, data: bytes('') } as const
      const first = await queue.takeLocked()
      const failed = await first.complete([check, { ...check, version: 7 }, create]).catch((thrown: unknown) => thrown)
      expect(failed).toMatchObject({ code: 'bad-version', outcome: 'not-done', operationIndex: 1 })
      expect(failed).toHaveProperty('message', expect.stringMatching(/ \(operation 1 of `also`, from 0\)$/))
      expect(await session.exists(create.path)).toBeUndefined()
      const again = await queue.takeLocked()
      expect([text(again.data), again.attempts]).toEqual(['a', 2])
      await again.complete([check, create])
      expect(await session.exists(create.path)).toBeDefined()
      expect(await queue.size()).toBe(0)
    }),
  )

  test.concurrent(
    'items shows what waits, locked or not; putOperation puts within the transaction of somebody else',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = fifoQueue(session, options(root))
      for (const item of ['a', 'b', 'c']) await queue.put(bytes(item))
      const held = await queue.takeLocked()
      const shown = async (max: number): Promise<(string | undefined)[]> =>
        (await queue.items({ max })).map(({ data }) => text(data))
      expect([await shown(2), await shown(10)]).toEqual([
        ['a', 'b'],
        ['a', 'b', 'c'],
      ])
      expect((await queue.items({ max: 1 }))[0]?.id).toBe(held.id)
      const refused = [queue.putOperation(bytes('d')), { op: 'check', path: root, version: 7 } as const]
      expect(await ending(session.multi(refused))).toBe('bad-version not-done')
      await session.multi([queue.putOperation(bytes('e'))])
      await held.release()
      expect((await all(queue)).sort()).toEqual(['a', 'b', 'c', 'e'])
    }),
  )

  test.concurrent(
    'nodes that the servers have lost are made again in the next session, for those who put and those who wait',
    inWorld(async ({ session: open, root, expire }) => {
      const [client, other] = [await open(), await open()]
      const queue = fifoQueue(client.session, options(root))
      await queue.put(bytes('a'))
      expect(text(await queue.take())).toBe('a')
      const waiting = queue.take()
      await expire(client)
      client.network.weather = 'refusing' // it stays away until all is gone
      await deleteAll(other.session, options(root).path)
      client.network.weather = 'through'
      await client.reaches('connected')
      await queue.put(bytes('b'))
      expect(text(await waiting)).toBe('b')
    }),
  )

  test.concurrent(
    'a taker whose session is lost: the signal aborts, the item goes to the next, its complete is refused',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open({ sessionTimeoutMs: 1_500 }), await open()]
      const [dying, other] = [fifoQueue(one.session, options(root)), fifoQueue(two.session, options(root))]
      await dying.put(bytes('a'))
      const held = await dying.takeLocked()
      const next = other.takeLocked()
      one.network.weather = 'refusing'
      await one.reaches('suspended')
      expect([held.held, held.signal.aborted]).toEqual([false, false])
      await one.reaches('lost')
      expect(held.signal.aborted).toBe(true)
      const item = await next
      one.network.weather = 'through'
      expect(await ending(held.complete())).toBe('refused not-done')
      await item.complete()
      expect(await other.size()).toBe(0)
    }),
  )

  test.concurrent(
    'answers that are lost: put once, completed once',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
      const queue = fifoQueue(session, options(root))
      await queue.put(bytes('a'))
      const multi = session.multi.bind(session)
      const lostAnswer = async (call: () => Promise<unknown>): Promise<void> => {
        session.multi = (...args) => {
          network.weather = 'mute'
          session.multi = multi
          return multi(...args)
        }
        const called = call()
        await reaches('suspended')
        network.weather = 'refusing'
        network.weather = 'through'
        await called
        await reaches('connected')
      }
      await lostAnswer(() => queue.put(bytes('b')))
      expect(await queue.size()).toBe(2)
      const a = await queue.takeLocked()
      await lostAnswer(() => a.complete())
      expect(await queue.size()).toBe(1)
      expect(text(await queue.take())).toBe('b')
    }),
  )

  test.concurrent(
    'a release whose answer was lost does not take the lock of the next taker when it is repeated',
    inWorld(async ({ session: open, root }) => {
      const [client, other] = [await open({ sessionTimeoutMs: 1_500 }), await open()]
      const [here, there] = [client, other].map(({ session }) => fifoQueue(session, options(root)))
      if (here === undefined || there === undefined) throw new Error('two queues')
      await here.put(bytes('a'))
      const item = await here.takeLocked()
      client.network.weather = 'mute'
      const released = ending(item.release({ timeoutMs: stretchedMs(5_000) }))
      const next = await there.takeLocked()
      await client.reaches('suspended')
      client.network.weather = 'refusing'
      client.network.weather = 'through'
      expect(await released).toBe('done')
      expect([next.held, next.attempts]).toEqual([true, 2])
      await next.complete()
    }),
  )

  test.concurrent(
    'a wait that is aborted or over leaves no place in the line and nothing locked',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = fifoQueue(session, options(root))
      const abort = new AbortController()
      const waiting = ending(queue.take({ signal: abort.signal }))
      expect(await ending(queue.take({ timeoutMs: 100 }))).toBe('timeout not-done')
      abort.abort()
      expect(await waiting).toBe('aborted not-done')
      await queue.put(bytes('a'))
      expect(text(await queue.take())).toBe('a')
    }),
  )

  test.concurrent(
    'bounds: items beyond itemsMax are refused, locked ones count; an item beyond itemBytesMax is too large',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = fifoQueue(session, { path: `${root}/queue`, itemsMax: 3, itemBytesMax: 10 })
      const ends = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((item) => ending(queue.put(bytes(item)))))
      expect(ends.sort()).toEqual(['done', 'done', 'done', 'overloaded not-done', 'overloaded not-done'])
      const held = await queue.takeLocked()
      expect(await ending(queue.put(bytes('f')))).toBe('overloaded not-done')
      await held.complete()
      await queue.put(bytes('g'))
      expect(await ending(queue.put(bytes('eleven bytes')))).toBe('too-large not-done')
    }),
  )

  test.concurrent(
    'a release is repeated while the session refuses calls as overloaded; then the lock is gone',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = fifoQueue(session, options(root))
      await queue.put(bytes('a'))
      const item = await queue.takeLocked()
      const multi = session.multi.bind(session)
      let refused = 0
      session.multi = (...call) => {
        refused += 1
        return refused > 2 ? multi(...call) : Promise.reject(new ZooKeeperError('overloaded', 'too many calls wait'))
      }
      await item.release()
      expect((await session.children(`${root}/queue/locks`)).names).toEqual([])
    }),
  )

  test.concurrent(
    'a take whose signal aborts as its item is locked, at whatever instant, has the item or leaves it unlocked',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const multi = session.multi.bind(session)
      const whenLocked = new Map<string, () => Promise<void>>()
      session.multi = async (operations, call) => {
        const done = multi(operations, call)
        const path = operations[0]?.path ?? ''
        void done.then(() => whenLocked.get(path.slice(0, path.lastIndexOf('/')))?.())
        return done
      }
      const play = async (later: number): Promise<string> => {
        const path = `${root}/queue-${later}`
        const queue = fifoQueue(session, { path, itemsMax: 1 })
        await queue.put(bytes('a'))
        const caller = new AbortController()
        whenLocked.set(`${path}/locks`, async () => {
          for (let turns = 0; turns < later; turns += 1) await Promise.resolve()
          caller.abort()
        })
        const ended = await ending(queue.takeLocked({ signal: caller.signal }).then((item) => item.release()))
        whenLocked.delete(`${path}/locks`)
        return (await queue.take({ timeoutMs: stretchedMs(5_000) }).then(text, String)) === 'a'
          ? ended
          : `locked after ${later}`
      }
      const endings = await Promise.all(Array.from({ length: 30 }, (_, later) => play(later)))
      expect(new Set(endings)).toEqual(new Set(['aborted not-done', 'done']))
    }),
  )

  test.concurrent(
    'an item that fails: while its taker pauses others take what comes after it; at its third attempt it goes elsewhere',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const here = fifoQueue(one.session, options(root))
      const failed = fifoQueue(one.session, { path: `${root}/failed`, itemsMax: 1 })
      expect(await failed.size()).toBe(0) // makes its nodes
      for (const item of ['poison', 'b', 'c']) await here.put(bytes(item))
      for (const next of ['b', 'c']) {
        // Each with a listing of its own: one that works through an older sees what came back within 200 ms.
        const pausing = await fifoQueue(one.session, options(root)).takeLocked()
        const other = await fifoQueue(two.session, options(root)).take()
        expect([text(pausing.data), text(other)]).toEqual(['poison', next])
        await pausing.release()
      }
      const last = await fifoQueue(two.session, options(root)).takeLocked()
      expect([text(last.data), last.attempts]).toEqual(['poison', 3])
      await last.complete([failed.putOperation(last.data)])
      expect([await here.size(), await failed.size(), text(await failed.take())]).toEqual([0, 1, 'poison'])
    }),
  )
})

describe('priorityQueue', () => {
  test.concurrent(
    'by priority, within one first in, first out',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const queue = priorityQueue(session, options(root))
      for (const [item, priority] of [
        ['a', 5],
        ['b', 0],
        ['c', 999],
        ['d', 5],
        ['e', 0],
      ] as const)
        await queue.put(bytes(item), priority)
      expect(await all(queue)).toEqual(['b', 'e', 'a', 'd', 'c'])
      expect(await ending(queue.put(bytes('x'), 1_000))).toBe('bad-arguments not-done')
    }),
  )
})
