import { describe, expect, test } from '@jest/globals'
import { sequentialIds, sharedCounter } from '../../../src/recipes.ts'
import { bytes, ending, inWorld, type Client } from '../../world/world.ts'

/** The request of the next `set` reaches the server; its answer never comes. `meanwhile` happens before the reconnect. */
async function losingTheNextAnswer<T>(
  { session, network, reaches }: Client,
  call: () => Promise<T>,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<T> {
  const set = session.set.bind(session)
  session.set = (...args) => {
    network.weather = 'mute'
    session.set = set
    return set(...args)
  }
  const called = call()
  await reaches('suspended')
  await meanwhile()
  network.weather = 'refusing'
  network.weather = 'through'
  return called
}

describe('sharedCounter', () => {
  test.concurrent(
    'counts from nothing; additions of many are all in the sum, each with a version of its own',
    inWorld(async ({ session: open, root }) => {
      const clients = [await open(), await open(), await open()]
      const counters = clients.map(({ session }) => sharedCounter(session, { path: `${root}/counter` }))
      const [first] = counters
      expect(await first?.get()).toEqual({ value: 0n, version: 0 })
      const added = await Promise.all(
        counters.flatMap((counter, index) => [counter.add(BigInt(index + 1)), counter.add(10n), counter.add(-1n)]),
      )
      expect(await first?.get()).toEqual({ value: 33n, version: 9 })
      expect(added.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    }),
  )

  test.concurrent(
    'an answer that is lost: added once, also when others have written since',
    inWorld(async ({ session: open, root }) => {
      const [client, other] = [await open({ sessionTimeoutMs: 1_500 }), await open()]
      const counter = sharedCounter(client.session, { path: `${root}/counter` })
      const theirs = sharedCounter(other.session, { path: `${root}/counter` })
      await counter.add(1n)
      const added = await losingTheNextAnswer(
        client,
        () => counter.add(10n),
        () => theirs.add(100n),
      )
      expect(added).toEqual({ value: 11n, version: 2 })
      expect(await counter.get()).toEqual({ value: 111n, version: 3 })
    }),
  )

  test.concurrent(
    'more writes of others than it remembers, and an answer that is lost: unknown',
    inWorld(async ({ session: open, root }) => {
      const [client, other] = [await open({ sessionTimeoutMs: 1_500 }), await open()]
      const counter = sharedCounter(client.session, { path: `${root}/counter` })
      const theirs = sharedCounter(other.session, { path: `${root}/counter` })
      await counter.add(1n)
      const added = losingTheNextAnswer(
        client,
        () => ending(counter.add(10n)),
        async () => {
          for (let count = 0; count < 33; count += 1) await theirs.add(1n)
        },
      )
      expect(await added).toBe('bad-version unknown')
      expect((await counter.get()).value).toBe(44n)
    }),
  )

  test.concurrent(
    'compareAndSet at another version: bad-version, with the current one; limits and foreign data are refused',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const counter = sharedCounter(session, { path: `${root}/counter` })
      expect(await counter.compareAndSet(5n, 0)).toEqual({ value: 5n, version: 1 })
      await expect(counter.compareAndSet(6n, 0)).rejects.toMatchObject({ code: 'bad-version', currentVersion: 1 })
      expect(await counter.compareAndSet(2n ** 63n - 1n, 1)).toMatchObject({ version: 2 })
      expect(await ending(counter.add(1n))).toBe('bad-arguments not-done')
      expect((await counter.add(-1n)).value).toBe(2n ** 63n - 2n)
      await session.set(`${root}/counter`, bytes('hello'), 'any')
      await expect(counter.get()).rejects.toMatchObject({ code: 'refused', existing: Buffer.from('hello') })
    }),
  )

  test.concurrent(
    'ends by its deadline while cut off',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open()
      const counter = sharedCounter(session, { path: `${root}/counter` })
      network.weather = 'refusing'
      await reaches('suspended')
      expect(await ending(counter.add(1n, { timeoutMs: 100 }))).toBe('timeout not-done')
      const abort = new AbortController()
      const aborted = ending(counter.add(1n, { signal: abort.signal }))
      abort.abort()
      expect(await aborted).toBe('aborted not-done')
      network.weather = 'through'
      expect((await counter.get()).value).toBe(0n)
    }),
  )
})

describe('sequentialIds', () => {
  test.concurrent(
    'unique and in order over all who share the path; a lost answer wastes a number',
    inWorld(async ({ session: open, root }) => {
      const [client, other] = [await open({ sessionTimeoutMs: 1_500 }), await open()]
      const mine = sequentialIds(client.session, { path: `${root}/ids`, prefix: 'job-' })
      const theirs = sequentialIds(other.session, { path: `${root}/ids`, prefix: 'job-' })
      expect(await mine.next()).toBe('job-0000000001')
      const ids = await Promise.all([mine, theirs, mine, theirs, mine].map((one) => one.next()))
      expect(new Set(ids).size).toBe(5)
      expect(await losingTheNextAnswer(client, () => mine.next())).toBe('job-0000000008')
      expect(await theirs.next()).toBe('job-0000000009')
    }),
  )
})
