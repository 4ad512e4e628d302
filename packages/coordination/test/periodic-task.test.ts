import { describe, expect, test } from '@jest/globals'
import { every, joinPeriodicTask, type Operation, type PeriodicTaskOptions, type Slot } from '../src/index.ts'
import { bytes, inWorld, Told } from './world.ts'

const intervalMs = 50

describe('every', () => {
  test('slots are aligned to 1970 and moved by the offset', () => {
    expect([every(60_000).atOrBefore(119_999), every(60_000).after(60_000)]).toEqual([60_000, 120_000])
    expect([every(60_000, 5_000).atOrBefore(4_999), every(60_000, 5_000).after(4_999)]).toEqual([-55_000, 5_000])
    expect(() => every(0.5)).toThrow('at least 1 ms')
  })
})

describe('joinPeriodicTask', () => {
  test(
    'three to six to three members: each slot enqueues one job, none is missed',
    inWorld(async ({ session: open, root }) => {
      const jobs = `${root}/jobs`
      const told = new Told<number>()
      const options = (id: string): PeriodicTaskOptions => ({
        path: `${root}/task`,
        id,
        schedule: every(intervalMs),
        catchUpMax: 1_000,
        run: ({ scheduledMs }) => {
          told.tell(scheduledMs)
          return Promise.resolve([
            { op: 'create', path: `${jobs}/${scheduledMs}`, data: bytes(id) } satisfies Operation,
          ])
        },
      })
      const clients = await Promise.all(
        ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => open().then((client) => [id, client] as const)),
      )
      await clients[0]?.[1].session.ensurePath(jobs)
      const join = (from: number, to: number) =>
        clients.slice(from, to).map(([id, { session }]) => joinPeriodicTask(session, options(id)))
      const three = join(0, 3)
      await told.first(() => told.all.length >= 5)
      const others = join(3, 6)
      await told.first(() => told.all.length >= 10)
      for (const task of three) await task.leave()
      const done = told.all.length
      await told.first(() => told.all.length >= done + 5)
      for (const task of others) await task.leave()
      const slots = ((await clients[0]?.[1].session.children(jobs))?.names ?? []).map(Number).sort()
      expect(slots).toEqual(slots.map((_, at) => (slots[0] ?? 0) + at * intervalMs))
      expect(new Set(told.all)).toEqual(new Set(slots))
      expect((await clients[0]?.[1].session.children(`${root}/task`))?.names).toEqual([])
    }),
  )

  test(
    'a slot whose runner lost its session is run again by another; its operations are dropped',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open({ sessionTimeoutMs: 1_000 }), await open()]
      const runs = new Told<[string, Slot]>()
      const join = (id: string, run: (slot: Slot) => Promise<Operation[]>) => {
        const { session } = id === 'one' ? one : two
        return joinPeriodicTask(session, {
          path: `${root}/task`,
          id,
          schedule: every(200),
          run: (slot) => {
            runs.tell([id, slot])
            return run(slot)
          },
        })
      }
      const end = new AbortController()
      const first = join(
        'one',
        () =>
          new Promise((resolve) => {
            end.signal.addEventListener('abort', () => {
              resolve([{ op: 'create', path: `${root}/late`, data: bytes('') }])
            })
          }),
      )
      const [, lost] = await runs.first(() => true)
      expect([lost.held, first.running?.scheduledMs]).toEqual([true, lost.scheduledMs])
      const second = join('two', () => Promise.resolve([]))
      one.network.weather = 'refusing'
      one.network.cut()
      const [, again] = await runs.first(([id]) => id === 'two')
      expect(again.scheduledMs).toBeGreaterThanOrEqual(lost.scheduledMs)
      expect(again.token > lost.token).toBe(true)
      expect([lost.held, lost.signal.aborted]).toEqual([false, true])
      end.abort()
      await second.leave()
      one.network.weather = 'through'
      await first.leave()
      expect(await two.session.exists(`${root}/late`)).toBeUndefined()
    }),
  )

  test(
    'with `once` a slot that failed is not run again; leave() past its deadline gives the run up',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const told = new Told<Slot>()
      const task = joinPeriodicTask(session, {
        path: `${root}/task`,
        id: 'one',
        schedule: every(intervalMs),
        attempts: 'once',
        run: (slot) => {
          told.tell(slot)
          return told.all.length === 1 ? Promise.reject(new Error('a bug')) : new Promise(() => undefined)
        },
      })
      await told.first(() => told.all.length === 2)
      expect(new Set(told.all.map(({ scheduledMs }) => scheduledMs)).size).toBe(2)
      await task.leave({ timeoutMs: 50 })
      expect(told.last?.signal.aborted).toBe(true)
      expect((await session.children(`${root}/task`)).names).toEqual([])
    }),
  )
})
