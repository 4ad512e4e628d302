import { describe, expect, test } from '@jest/globals'
import type { Hold } from '../../../src/index.ts'
import { sharedLock } from '../../../src/recipes.ts'
import { untilInLine } from '../../world/lines.ts'
import { ending, inWorld, Heard, stretchedMs } from '../../world/world.ts'

describe('sharedLock', () => {
  test.concurrent(
    'readers hold together, a writer alone and before the readers that came later; tokens report the order',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/lock`
      const arrivals = ['read', 'read', 'write', 'read'] as const
      const heard = new Heard<string>()
      const given: Promise<Hold>[] = []
      const observer = sharedLock((await open()).session, { path, id: 'observer' })
      for (const [index, mode] of arrivals.entries()) {
        const { session } = await open()
        const acquiring = sharedLock(session, { path, id: `c${index}` })[mode].acquire()
        given.push(
          acquiring.then((hold) => {
            heard.hear(`c${index} ${mode}s`)
            return hold
          }),
        )
        await untilInLine(session, path, index + 1)
      }
      const [first, second] = [await given[0], await given[1]]
      expect([first?.held, second?.held]).toEqual([true, true])
      expect((await observer.contenders()).map(({ id, mode, holds }) => `${id} ${mode} ${holds}`)).toEqual([
        'c0 read true',
        'c1 read true',
        'c2 write false',
        'c3 read false',
      ])
      await first?.release()
      await second?.release()
      const writer = await given[2]
      expect(heard.all.slice(2)).toEqual(['c2 writes'])
      expect((writer?.token ?? 0n) > (second?.token ?? 0n)).toBe(true)
      await writer?.release()
      await (await given[3])?.release()
      expect(await observer.contenders()).toEqual([])
    }),
  )

  test.concurrent(
    'tryAcquire: a reader beside readers, not after a writer; a deadline leaves nothing behind and lets go who came later',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const path = `${root}/lock`
      const [here, there] = [sharedLock(one.session, { path, id: 'one' }), sharedLock(two.session, { path, id: 'two' })]
      const reading = await here.read.acquire()
      const beside = await there.read.tryAcquire()
      expect(beside?.held).toBe(true)
      await beside?.release()
      expect(await there.write.tryAcquire()).toBeUndefined()
      const writing = ending(there.write.acquire({ timeoutMs: stretchedMs(500) }))
      await untilInLine(one.session, path, 2)
      expect(await here.read.tryAcquire()).toBeUndefined()
      const later = here.read.acquire()
      expect(await writing).toBe('timeout not-done')
      expect((await later).held).toBe(true)
      await untilInLine(one.session, path, 2)
      await reading.release()
    }),
  )

  test.concurrent(
    'the same owner holds one side again, counted, also while a writer waits; on the other side it is refused at once',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const path = `${root}/lock`
      const lock = sharedLock(one.session, { path, id: 'one' })
      const owner = 'x'
      const reading = await lock.read.acquire({ owner })
      const writer = sharedLock(two.session, { path, id: 'two' }).write.acquire()
      await untilInLine(one.session, path, 2)
      const again = await lock.read.acquire({ owner })
      expect(again.token).toBe(reading.token)
      expect(await ending(lock.write.acquire({ owner }))).toBe('bad-arguments not-done')
      expect(await ending(lock.write.tryAcquire({ owner }))).toBe('bad-arguments not-done')
      await reading.release()
      await again.release()
      await (await writer).release()
      await lock.write.run(
        async (hold) => {
          expect(hold.held).toBe(true)
          expect(await ending(lock.read.acquire({ owner }))).toBe('bad-arguments not-done')
        },
        { owner },
      )
      await (await lock.read.acquire({ owner })).release()
    }),
  )

  test.concurrent(
    'a reader that is cut off and comes back still holds, and a writer whose session is lost is replaced',
    inWorld(async ({ session: open, root, expire }) => {
      const [one, two] = [await open(), await open()]
      const path = `${root}/lock`
      const reading = await sharedLock(one.session, { path, id: 'one' }).read.acquire()
      const writing = sharedLock(two.session, { path, id: 'two' }).write.acquire()
      await untilInLine(one.session, path, 2)
      one.network.weather = 'refusing' // until it has been looked at
      await one.reaches('suspended')
      expect(reading.held).toBe(false)
      one.network.weather = 'through'
      while (!reading.held) await one.session.sync(path)
      await reading.release()
      const writer = await writing
      const waiting = sharedLock(one.session, { path, id: 'one' }).read.acquire()
      await untilInLine(one.session, path, 2)
      await expire(two)
      const next = await waiting
      expect([next.held, next.token > writer.token]).toEqual([true, true])
      await two.reaches('connected')
      expect([writer.held, writer.signal.aborted]).toEqual([false, true])
    }),
  )
})
