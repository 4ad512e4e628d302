import { getEventListeners } from 'node:events'
import { describe, expect, test } from '@jest/globals'
import { exclusiveLock, ZooKeeperError, type Hold } from '../../../src/index.ts'
import { Acquisition, lookAhead } from '../../../src/line/acquisition.ts'
import { decideExclusive } from '../../../src/line/acquisition.ts'
import { NodeHold } from '../../../src/line/hold.ts'
import { Owners } from '../../../src/line/owners.ts'
import { untilInLine, wokenOf } from '../../world/lines.ts'
import { ending, inWorld, Heard, wrongLimits } from '../../world/world.ts'

const aborted = (hold: Hold): Promise<unknown> =>
  new Promise((resolve) => {
    const hear = (): void => {
      resolve(hold.signal.reason instanceof ZooKeeperError ? hold.signal.reason.code : hold.signal.reason)
    }
    if (hold.signal.aborted) hear()
    else hold.signal.addEventListener('abort', hear)
  })

test.concurrent(
  'Owners: what the same owner acquires again and gives back leaves nothing on the hold that it shares',
  inWorld(async ({ session: open, root: path }) => {
    const { session } = await open()
    const look = lookAhead(session, path, decideExclusive)
    const begun: Acquisition[] = []
    const owners = new Owners(session, () => {
      const acquisition = new Acquisition(session, { path, kind: 'lock', id: 'a', look })
      begun.push(acquisition)
      return acquisition
    })
    const base = await owners.acquire('acquire', { owner: 'one' })
    const listeners = (): number => {
      const [signal] = begun.flatMap(({ current }) => current?.signal ?? [])
      return signal === undefined ? NaN : getEventListeners(signal, 'abort').length
    }
    const before = listeners()
    for (let round = 0; round < 100; round += 1) await (await owners.acquire('acquire', { owner: 'one' })).release()
    expect([begun.length, listeners()]).toEqual([1, before])
    const again = await owners.acquire('acquire', { owner: 'one' })
    await session.close()
    expect([base, again].map(({ signal }): unknown => signal.reason)).toEqual([base.signal.reason, base.signal.reason])
    expect(base.signal.reason).toMatchObject({ code: 'closed' })
  }),
)

describe('exclusiveLock', () => {
  test.concurrent(
    'one after the other in the order of arrival, with tokens that grow; contenders() lists them',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/parents/lock`
      const clients = [await open(), await open(), await open()]
      const heard = new Heard<string>()
      const tokens: bigint[] = []
      const running = clients.map(async ({ session }, index) => {
        if (index > 0) await untilInLine(session, path, index)
        const lock = exclusiveLock(session, { path, id: `c${index}` })
        return lock.run(async (hold) => {
          heard.hear(`c${index}`)
          tokens.push(hold.token)
          expect(hold.held).toBe(true)
          if (index === 0) await untilInLine(session, path, 3)
          const line = await lock.contenders()
          expect(line.map(({ id, holds }) => `${id} ${holds}`)).toEqual(
            ['c0', 'c1', 'c2'].slice(index).map((id, place) => `${id} ${place === 0}`),
          )
          expect(line[0]).toMatchObject({ token: hold.token, node: expect.stringContaining(`${path}/`) })
          expect(Math.abs((line[0]?.sinceMs ?? 0) - session.clock.now())).toBeLessThan(60_000)
          return index
        })
      })
      expect(await Promise.all(running)).toEqual([0, 1, 2])
      expect(heard.all).toEqual(['c0', 'c1', 'c2'])
      expect(tokens).toEqual(tokens.toSorted((one, other) => Number(one - other)))
      await untilInLine(clients[0]?.session ?? (await open()).session, path, 0)
    }),
  )

  test.concurrent(
    'no herd: a release wakes one, a waiter that leaves wakes one',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/lock`
      const clients = [await open(), await open(), await open(), await open()]
      const observer = await open()
      const given: Promise<Hold>[] = []
      const leave = new AbortController()
      for (const [index, { session }] of clients.entries()) {
        const options = index === 1 ? { signal: leave.signal } : {}
        given.push(exclusiveLock(session, { path, id: `c${index}` }).acquire(options))
        await untilInLine(session, path, index + 1)
      }
      await given[0]
      const woken = await wokenOf(
        clients.map(({ session }) => session),
        path,
      )
      leave.abort()
      expect(await ending(given[1] ?? Promise.resolve())).toBe('aborted not-done')
      await untilInLine(observer.session, path, 3)
      expect(await woken()).toEqual(new Set([2]))
      await (await given[0])?.release()
      const third = await given[2]
      expect(await woken()).toEqual(new Set([2]))
      await third?.release()
      await given[3]
      expect(await woken()).toEqual(new Set([3]))
    }),
  )

  test.concurrent(
    'the same owner holds again, counted; another owner of the same object waits; acquisitions at once share one place',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const path = `${root}/lock`
      const lock = exclusiveLock(session, { path, id: 'a' })
      const [one, other] = await Promise.all([lock.acquire({ owner: 'x' }), lock.acquire({ owner: 'x' })])
      expect(other.token).toBe(one.token)
      expect(await lock.tryAcquire({ owner: 'y' })).toBeUndefined()
      expect(await lock.tryAcquire()).toBeUndefined()
      const again = await lock.tryAcquire({ owner: 'x' })
      expect(await lock.contenders()).toHaveLength(1)
      const waiting = lock.acquire({ owner: 'y' })
      expect(await ending(lock.acquire({ owner: 'y', timeoutMs: 20 }))).toBe('timeout not-done')
      await one.release()
      await one.release()
      expect([one.held, one.signal.aborted, other.held, other.signal.aborted]).toEqual([false, true, true, false])
      await other.release()
      expect(again?.held).toBe(true)
      await again?.release()
      const next = await waiting
      expect(next.token).toBeGreaterThan(one.token)
      await next.release()
      expect(await lock.contenders()).toEqual([])
    }),
  )

  test.concurrent(
    'tryAcquire, a deadline, a signal and a closed session leave nothing behind',
    inWorld(async ({ session: open, root }) => {
      const [holder, waiter] = [await open(), await open()]
      const path = `${root}/lock`
      const hold = await exclusiveLock(holder.session, { path, id: 'holder' }).acquire()
      const lock = exclusiveLock(waiter.session, { path, id: 'waiter' })
      expect(await lock.tryAcquire()).toBeUndefined()
      expect((await holder.session.children(path)).names).toHaveLength(1)
      expect(await ending(lock.acquire({ timeoutMs: 30 }))).toBe('timeout not-done')
      await untilInLine(holder.session, path, 1)
      expect(await ending(lock.acquire({ signal: AbortSignal.abort() }))).toBe('aborted not-done')
      await untilInLine(holder.session, path, 1)
      const waiting = ending(lock.acquire())
      await untilInLine(holder.session, path, 2)
      await waiter.session.close()
      expect(await waiting).toBe('closed not-done')
      expect(await ending(lock.acquire())).toBe('closed not-done')
      await untilInLine(holder.session, path, 1)
      await holder.session.close()
      expect([hold.held, await aborted(hold)]).toEqual([false, 'closed'])
      await hold.release()
    }),
  )

  test.concurrent(
    'what an acquisition watched of others it watches no more when it gives up',
    inWorld(async ({ session: open, root }) => {
      const [holder, waiter] = [await open(), await open()]
      const path = `${root}/lock`
      const hold = await exclusiveLock(holder.session, { path, id: 'holder' }).acquire()
      const lock = exclusiveLock(waiter.session, { path, id: 'waiter' })
      for (let count = 0; count < 3; count += 1) expect(await lock.tryAcquire()).toBeUndefined()
      await waiter.session.sync(path)
      const before = waiter.network.notifications
      await hold.release()
      await waiter.session.sync(path)
      expect(waiter.network.notifications).toBe(before)
    }),
  )

  test.concurrent(
    'a create whose answer was lost is found again: one node, and it holds; given up meanwhile: none',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
      const observer = await open()
      const path = `${root}/lock`
      await session.ensurePath(path)
      const lock = exclusiveLock(session, { path, id: 'a' })
      const create = session.createWithStat.bind(session)
      let muted = false
      session.createWithStat = (...call) => {
        if (!muted) network.weather = 'mute'
        muted = true
        return create(...call)
      }
      for (const givesUp of [false, true]) {
        muted = false
        const leave = new AbortController()
        const acquiring = lock.acquire({ signal: leave.signal })
        const ended = givesUp ? ending(acquiring) : undefined
        await untilInLine(observer.session, path, 1)
        if (givesUp) leave.abort()
        network.cut()
        await reaches('suspended')
        network.weather = 'through'
        if (ended !== undefined) expect(await ended).toBe('aborted not-done')
        else {
          const hold = await acquiring
          await untilInLine(observer.session, path, 1)
          await hold.release()
        }
        await untilInLine(observer.session, path, 0)
      }
      expect(session.generation).toBe(1)
    }),
  )

  test.concurrent(
    'a cut: not held while suspended, held again in the same session with the same token',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open()
      const lock = exclusiveLock(session, { path: `${root}/lock`, id: 'a' })
      const hold = await lock.acquire()
      network.weather = 'refusing' // until it has been looked at
      await reaches('suspended')
      expect(hold.held).toBe(false)
      network.weather = 'through'
      await reaches('connected')
      while (!hold.held) await session.sync(root)
      expect([hold.signal.aborted, session.generation]).toEqual([false, 1])
      expect((await lock.contenders()).map(({ token }) => token)).toEqual([hold.token])
    }),
  )

  test.concurrent(
    'a node that somebody else deleted: the holder is notified and never holds again, the waiter stands again',
    inWorld(async ({ session: open, root }) => {
      const [one, two, operator] = [await open(), await open(), await open()]
      const path = `${root}/lock`
      const first = await exclusiveLock(one.session, { path, id: 'one' }).acquire()
      const waiting = exclusiveLock(two.session, { path, id: 'two' }).acquire()
      await untilInLine(operator.session, path, 2)
      const list = exclusiveLock(operator.session, { path, id: 'operator' })
      const node = async (place: number): Promise<string> => (await list.contenders())[place]?.node ?? ''
      const waiter = await node(1)
      await operator.session.delete(waiter, 'any')
      while ([waiter, ''].includes(await node(1))) await operator.session.sync(path)
      await operator.session.delete(await node(0), 'any')
      expect(await aborted(first)).toBe('no-node')
      expect(first.held).toBe(false)
      const second = await waiting
      expect([second.held, second.token > first.token]).toEqual([true, true])
      await first.release()
    }),
  )

  test.concurrent(
    'a session that is lost: the holder is notified, the next one holds; who loses it while waiting stands again',
    inWorld(async ({ session: open, root, expire }) => {
      const [one, two] = [await open(), await open()]
      const path = `${root}/lock`
      const lock = exclusiveLock(one.session, { path, id: 'one' })
      const first = await lock.acquire({ owner: 'x' })
      const waiting = exclusiveLock(two.session, { path, id: 'two' }).acquire()
      await untilInLine(one.session, path, 2)
      await expire(two)
      await two.reaches('connected')
      await untilInLine(one.session, path, 2)
      await expire(one)
      expect(await aborted(first)).toBe('session-lost')
      const second = await waiting
      expect([first.held, second.held, second.token > first.token]).toEqual([false, true, true])
      await first.release()
      await second.release()
      const again = await lock.acquire({ owner: 'x' })
      expect(again.token).toBeGreaterThan(second.token)
    }),
  )

  test.concurrent(
    'NodeHold: of another session, or of one that is closed, it is over from the beginning',
    inWorld(async ({ session: open }) => {
      const { session } = await open()
      const held = { node: '/gone', generation: 0, token: 1n, leave: () => Promise.resolve() }
      expect(await aborted(new NodeHold(session, held))).toBe('session-lost')
      await session.close()
      expect(await aborted(new NodeHold(session, { ...held, generation: 1 }))).toBe('closed')
    }),
  )

  test.concurrent(
    'release without a connection: rejects at its deadline, and goes on until the node is gone',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const path = `${root}/lock`
      const hold = await exclusiveLock(one.session, { path, id: 'one' }).acquire()
      one.network.weather = 'refusing'
      await one.reaches('suspended')
      expect(await ending(hold.release({ timeoutMs: 30 }))).toBe('timeout unknown')
      expect([hold.held, hold.signal.aborted]).toEqual([false, true])
      const released = hold.release()
      one.network.weather = 'through'
      await released
      await untilInLine(two.session, path, 0)
    }),
  )

  test.concurrent(
    'run: ends as the work did, and has released',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const lock = exclusiveLock(session, { path: `${root}/lock`, id: 'a' })
      const failure = new Error('the work failed')
      await expect(
        lock.run(async () => {
          await session.sync(root)
          throw failure
        }),
      ).rejects.toBe(failure)
      expect(await lock.contenders()).toEqual([])
      const hold = await lock.tryAcquire()
      expect(hold?.held).toBe(true)
    }),
  )

  test.concurrent(
    'wrongLimits options of a release: it still holds; `await using` releases',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const lock = exclusiveLock(session, { path: `${root}/lock`, id: 'a' })
      {
        await using hold = await lock.acquire()
        expect(await ending(hold.release(wrongLimits))).toBe('bad-arguments not-done')
        expect([hold.held, hold.signal.aborted]).toEqual([true, false])
      }
      expect(await lock.contenders()).toEqual([])
    }),
  )

  test.concurrent(
    'non-retryable errors reject at once, and leave no one in line',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const path = `${root}/lock`
      const below = await session.create(`${root}/e`, new Uint8Array(), 'ephemeral')
      expect(await ending(exclusiveLock(session, { path: `${below}/lock`, id: 'a' }).acquire())).toBe(
        'no-children-for-ephemerals not-done',
      )
      expect(await ending(exclusiveLock(session, { path, id: 'a'.repeat(2 << 20) }).acquire())).toBe(
        'too-large not-done',
      )
      expect(await ending(exclusiveLock(session, { path, id: 'a' }).tryAcquire({ timeoutMs: 5_000 }))).toBe('done')
    }),
  )
})
