import { describe, expect, test } from '@jest/globals'
import type { Hold } from '../../../src/index.ts'
import { resizeSemaphore, semaphore } from '../../../src/recipes.ts'
import { untilInLine, wokenOf } from '../../world/lines.ts'
import { bytes, ending, inWorld, text, type Client } from '../../world/world.ts'

/** Contenders one after the other, so that the order of the line is theirs. */
async function arrive(clients: readonly Client[], path: string, leases: number): Promise<Promise<Hold>[]> {
  const given: Promise<Hold>[] = []
  for (const [index, { session }] of clients.entries()) {
    const acquiring = semaphore(session, { path, id: `c${index}`, ...(index === 0 && { leases }) }).acquire()
    acquiring.catch(() => undefined) // some wait until the end
    given.push(acquiring)
    await untilInLine(session, path, index + 1)
    if (index < leases) await given[index]
  }
  return given
}

describe('semaphore', () => {
  test.concurrent(
    'holds as many as there are leases; a release lets the next go on; contenders() lists who holds',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/semaphore`
      const clients = [await open(), await open(), await open(), await open()]
      const given = await arrive(clients, path, 2)
      const observer = semaphore((await open()).session, { path, id: 'observer' })
      const listed = async (): Promise<string[]> =>
        (await observer.contenders()).map(({ id, holds }) => `${id} ${holds}`)
      expect(await listed()).toEqual(['c0 true', 'c1 true', 'c2 false', 'c3 false'])
      expect(await observer.tryAcquire()).toBeUndefined()
      await (await given[1])?.release()
      const third = await given[2]
      expect(third?.held).toBe(true)
      expect(await listed()).toEqual(['c0 true', 'c2 true', 'c3 false'])
      await third?.release()
      await (await given[0])?.release()
      await (await given[3])?.release()
      expect(await listed()).toEqual([])
      expect(await observer.run((hold) => Promise.resolve(hold.held))).toBe(true)
      expect(await listed()).toEqual([])
    }),
  )

  test.concurrent(
    'no herd: a release wakes the first that waits and the next',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/semaphore`
      const clients = await Promise.all(Array.from({ length: 6 }, () => open()))
      const given = await arrive(clients, path, 2)
      const woken = await wokenOf(
        clients.map(({ session }) => session),
        path,
      )
      await (await given[0])?.release()
      await given[2]
      expect(await woken()).toEqual(new Set([2, 3]))
      await (await given[1])?.release()
      await given[3]
      expect(await woken()).toEqual(new Set([3, 4]))
    }),
  )

  test.concurrent(
    'the number: written by the first, another one is refused, no number too; an operator changes it for all',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/semaphore`
      const clients = [await open(), await open(), await open()]
      const [first, second, third] = clients
      if (first === undefined || second === undefined || third === undefined) throw new Error('three came')
      expect(await ending(semaphore(first.session, { path, id: 'a' }).acquire())).toBe('refused not-done')
      const given = await arrive(clients, path, 1)
      expect(text((await first.session.get(path)).data)).toBe('1')
      expect(await ending(semaphore(first.session, { path, id: 'a', leases: 2 }).acquire())).toBe('refused not-done')
      await resizeSemaphore(first.session, { path, leases: 3 })
      const holds = await Promise.all(given)
      expect(holds.map(({ held }) => held)).toEqual([true, true, true])
      await resizeSemaphore(first.session, { path, leases: 1 })
      const later = semaphore(second.session, { path, id: 'later' })
      await holds[0]?.release()
      expect(await later.tryAcquire()).toBeUndefined()
      const waiting = later.acquire()
      await holds[1]?.release()
      await untilInLine(first.session, path, 2)
      expect((await later.contenders()).map(({ holds: held }) => held)).toEqual([true, false])
      await holds[2]?.release()
      expect((await waiting).held).toBe(true)
      await first.session.set(path, bytes('many'), 'any')
      expect(await ending(later.tryAcquire())).toBe('refused not-done')
      expect(await ending(resizeSemaphore(first.session, { path, leases: 0 }))).toBe('bad-arguments not-done')
      await untilInLine(first.session, path, 1)
    }),
  )

  test.concurrent(
    'no one begins to hold by a number that an operator has changed meanwhile',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/semaphore`
      const [one, two] = [await open(), await open()]
      await resizeSemaphore(one.session, { path, leases: 2 })
      const hold = await semaphore(one.session, { path, id: 'one' }).acquire()
      const multi = two.session.multi.bind(two.session)
      let changed = false
      two.session.multi = async (operations, options) => {
        if (!changed) await resizeSemaphore(one.session, { path, leases: 1 })
        changed = true
        return multi(operations, options)
      }
      expect(await semaphore(two.session, { path, id: 'two' }).tryAcquire()).toBeUndefined()
      expect(changed).toBe(true)
      await hold.release()
    }),
  )

  test.concurrent(
    'fewer leases than are held: who waits goes on when fewer than the number are before it, who leaves',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/semaphore`
      const clients = [await open(), await open(), await open(), await open()]
      const given = await arrive(clients, path, 3)
      const [operator] = clients
      if (operator === undefined) throw new Error('four came')
      await resizeSemaphore(operator.session, { path, leases: 2 })
      await (await given[0])?.release()
      await (await given[1])?.release()
      expect((await given[3])?.held).toBe(true)
      expect((await given[2])?.held).toBe(true)
    }),
  )

  test.concurrent(
    'a lost session frees its lease; a holder that is cut off and comes back still holds; a deadline leaves nothing behind',
    inWorld(async ({ session: open, root, expire }) => {
      const path = `${root}/semaphore`
      const clients = [await open(), await open()]
      const [one, two] = clients
      if (one === undefined || two === undefined) throw new Error('two came')
      const given = await arrive(clients, path, 1)
      const first = await given[0]
      one.network.weather = 'refusing' // until it has been looked at
      await one.reaches('suspended')
      expect(first?.held).toBe(false)
      one.network.weather = 'through'
      while (first?.held === false) await one.session.sync(path)
      await expire(one)
      const second = await given[1]
      expect(second?.held).toBe(true)
      await one.reaches('connected')
      expect([first?.held, first?.signal.aborted]).toEqual([false, true])
      expect(await ending(semaphore(one.session, { path, id: 'again' }).acquire({ timeoutMs: 30 }))).toBe(
        'timeout not-done',
      )
      await untilInLine(two.session, path, 1)
    }),
  )
})
