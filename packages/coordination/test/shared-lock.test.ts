import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { sharedLock, type Hold } from '../src/index.ts'
import { inOrder } from '../src/line/line.ts'
import { decideShared } from '../src/recipes/lock/shared-lock.ts'
import { untilInLine } from './lines.ts'
import { ending, inWorld, Told } from './world.ts'

const lineOf = (modes: readonly string[]): string[] =>
  inOrder(modes.map((mode, place) => `0123456789abcdef-${mode}-${String(place).padStart(10, '0')}`))

describe('decideShared', () => {
  const modes = fc.array(fc.constantFrom('read', 'write'), { minLength: 1, maxLength: 30 })

  test('one writer at the front holds alone, else the readers before the first writer; absent is never holding', () => {
    fc.assert(
      fc.property(modes, (drawn) => {
        const line = lineOf(drawn)
        const holding = line.filter((own) => decideShared(line, own) === 'holds')
        const firstWriter = drawn.indexOf('write')
        const expected = firstWriter < 0 ? line.length : Math.max(firstWriter, 1)
        expect(holding).toEqual(line.slice(0, expected))
        expect(decideShared(line.slice(1), line[0] ?? '')).toBe('absent')
      }),
    )
  })

  test('everyone waits for one before it; a reader who leaves wakes one writer at most, a writer no one behind the next', () => {
    fc.assert(
      fc.property(modes, (drawn) => {
        const line = lineOf(drawn)
        for (const [place, leaving] of line.entries()) {
          const woken = line.filter((own) => {
            const decision = decideShared(line, own)
            return typeof decision === 'object' && decision.waitsFor === leaving
          })
          const wokenModes = woken.map((own) => drawn[line.indexOf(own)])
          expect(woken.every((own) => line.indexOf(own) > place)).toBe(true)
          expect(wokenModes.filter((mode) => mode === 'write').length).toBeLessThanOrEqual(1)
          if (drawn[place] === 'read') expect(wokenModes).not.toContain('read')
          const next = drawn.indexOf('write', place + 1)
          if (next >= 0) expect(woken.every((own) => line.indexOf(own) <= next)).toBe(true)
        }
      }),
    )
  })
})

describe('sharedLock', () => {
  test(
    'readers hold together, a writer alone and before the readers that came later; tokens tell the order',
    inWorld(async ({ session: open, root }) => {
      const path = `${root}/lock`
      const arrivals = ['read', 'read', 'write', 'read'] as const
      const told = new Told<string>()
      const given: Promise<Hold>[] = []
      const observer = sharedLock((await open()).session, { path, id: 'observer' })
      for (const [index, mode] of arrivals.entries()) {
        const { session } = await open()
        const acquiring = sharedLock(session, { path, id: `c${index}` })[mode].acquire()
        given.push(
          acquiring.then((hold) => {
            told.tell(`c${index} ${mode}s`)
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
      expect(told.all.slice(2)).toEqual(['c2 writes'])
      expect((writer?.token ?? 0n) > (second?.token ?? 0n)).toBe(true)
      await writer?.release()
      await (await given[3])?.release()
      expect(await observer.contenders()).toEqual([])
    }),
  )

  test(
    'tryAcquire: a reader beside readers, not behind a writer; a deadline leaves nothing behind and lets go who came later',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const path = `${root}/lock`
      const [here, there] = [sharedLock(one.session, { path, id: 'one' }), sharedLock(two.session, { path, id: 'two' })]
      const reading = await here.read.acquire()
      const beside = await there.read.tryAcquire()
      expect(beside?.held).toBe(true)
      await beside?.release()
      expect(await there.write.tryAcquire()).toBeUndefined()
      const writing = ending(there.write.acquire({ timeoutMs: 300 }))
      await untilInLine(one.session, path, 2)
      expect(await here.read.tryAcquire()).toBeUndefined()
      const later = here.read.acquire()
      expect(await writing).toBe('timeout not-done')
      expect((await later).held).toBe(true)
      await untilInLine(one.session, path, 2)
      await reading.release()
    }),
  )

  test(
    'the same owner holds one side again, counted, also behind a writer; on the other side it is refused at once',
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

  test(
    'a reader that is cut off and comes back still holds, and a writer whose session is lost is replaced',
    inWorld(async ({ session: open, root, expire }) => {
      const [one, two] = [await open(), await open()]
      const path = `${root}/lock`
      const reading = await sharedLock(one.session, { path, id: 'one' }).read.acquire()
      const writing = sharedLock(two.session, { path, id: 'two' }).write.acquire()
      await untilInLine(one.session, path, 2)
      one.network.cut()
      await one.reaches('suspended')
      expect(reading.held).toBe(false)
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
