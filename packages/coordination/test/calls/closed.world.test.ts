import { expect, test } from '@jest/globals'
import {
  configuration,
  exclusiveLock,
  fifoQueue,
  joinElection,
  joinMembership,
  joinPeriodicTask,
  every,
  type CallOptions,
} from '../../src/index.ts'
import {
  barrier,
  doubleBarrier,
  joinColdStandby,
  joinHotStandby,
  joinPartitioner,
  resizeSemaphore,
  semaphore,
  sequentialIds,
  sharedCounter,
  sharedLock,
} from '../../src/recipes.ts'
import { bytes, ending, inWorld, stretchedMs } from '../world/world.ts'

const nothing = (): void => undefined

test.concurrent(
  'on a closed session every call of a recipe rejects with closed, at once; who leaves has left',
  inWorld(async ({ session: open, root: path }) => {
    const { session } = await open()
    const queue = fifoQueue(session, { path, itemsMax: 1 })
    await queue.put(bytes('a'))
    await queue.take()
    await session.close()
    const id = 'late'
    const limits = { timeoutMs: stretchedMs(1_000) }
    const division = { path, id, items: ['a'], onAcquired: nothing, onRelease: nothing, onLost: nothing }
    const calls = {
      acquire: exclusiveLock(session, { path, id }).acquire(limits),
      tryAcquire: exclusiveLock(session, { path, id }).tryAcquire(limits),
      read: sharedLock(session, { path, id }).read.acquire(limits),
      lease: semaphore(session, { path, id, leases: 1 }).acquire(limits),
      resize: resizeSemaphore(session, { path, leases: 1 }, limits),
      set: barrier(session, { path }).set(limits),
      wait: barrier(session, { path }).wait(limits),
      enter: doubleBarrier(session, { path, id, size: 1 }).enter(limits),
      put: queue.put(bytes('a'), limits),
      take: queue.take(limits),
      publish: configuration(session, { path, id, parse: String }).publish(1, limits),
      add: sharedCounter(session, { path }).add(1n, limits),
      next: sequentialIds(session, { path, prefix: '' }).next(limits),
      membership: joinMembership(session, { path, name: id, data: bytes('') }),
      partitioner: joinPartitioner(session, division),
    }
    const endings = await Promise.all(
      Object.entries(calls).map(async ([name, call]) => [name, await ending(call)] as const),
    )
    expect(Object.fromEntries(endings)).toEqual(
      Object.fromEntries(Object.keys(calls).map((name) => [name, 'closed not-done'])),
    )
    const standby = joinHotStandby(session, { path, id, run: () => Promise.resolve() })
    await standby.leave(limits)
    expect(standby.state).toBe('left')
    const election = joinElection(session, { path, id, onElected: nothing, onDeposed: nothing })
    await election.resign(limits)
    await joinColdStandby(session, { path, id, run: () => Promise.resolve('remove') }).leave(limits)
    await joinPeriodicTask(session, { path, id, schedule: every(1_000), run: () => Promise.resolve(undefined) }).leave()
  }),
)

test.concurrent(
  'joinHotStandby: in a closed session it has left without being asked',
  inWorld(async ({ session: open, root: path }) => {
    const { session } = await open()
    await session.close()
    const left = await new Promise((resolve) => {
      joinHotStandby(session, { path, id: 'late', run: () => Promise.resolve(), onState: resolve })
    })
    expect(left).toBe('left')
  }),
)

test.concurrent(
  'close: with wrong limits it closes all the same',
  inWorld(async ({ session: open }) => {
    for (const wrong of [null, 'now', { timeoutMs: 'soon' }, { signal: 'stop', timeoutMs: NaN }]) {
      const { session } = await open()
      await session.close(wrong as CallOptions)
      await session.close()
      expect(session.state).toBe('closed')
    }
  }),
)

test.concurrent(
  'a call takes limits that are inherited, as those of a class',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const limits = Object.create({ signal: AbortSignal.abort() }) as CallOptions
    expect(await ending(session.exists(root, limits))).toBe('aborted not-done')
    expect(await ending(session.create(`${root}/a`, bytes(''), 'persistent', limits))).toBe('aborted not-done')
  }),
)
