import { describe, expect, test } from '@jest/globals'
import {
  every,
  joinPeriodicTask,
  type Operation,
  type PeriodicTaskOptions,
  type Slot,
  type ZooKeeperSession,
} from '../../../src/index.ts'
import { bytes, ending, inWorld, text, Heard, wrongLimits } from '../../world/world.ts'

const intervalMs = 50

const place = (index: number): string => `(operation ${index} of what run resolved with, from 0)`

/** The errors that the session is given to log from now on. */
function logOf(session: ZooKeeperSession): Heard<Error> {
  const heard = new Heard<Error>()
  Reflect.set(session, 'log', (_message: string, { error }: Readonly<Record<string, unknown>>) => {
    if (error instanceof Error) heard.hear(error)
  })
  return heard
}

/** Options of one whom no compiler has seen. */
function anyTask(options: Omit<PeriodicTaskOptions, 'run'> & { run: () => unknown }): PeriodicTaskOptions {
  return options as PeriodicTaskOptions
}

describe('joinPeriodicTask', () => {
  test.concurrent(
    'three to six to three members: each slot enqueues one job, none is missed',
    inWorld(async ({ session: open, root }) => {
      const jobs = `${root}/jobs`
      const heard = new Heard<number>()
      const options = (id: string): PeriodicTaskOptions => ({
        path: `${root}/task`,
        id,
        schedule: every(intervalMs),
        catchUpMax: 1_000,
        run: ({ scheduledMs }) => {
          heard.hear(scheduledMs)
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
      await heard.first(() => heard.all.length >= 5)
      const others = join(3, 6)
      await heard.first(() => heard.all.length >= 10)
      for (const task of three) await task.leave()
      const done = heard.all.length
      await heard.first(() => heard.all.length >= done + 5)
      for (const task of others) await task.leave()
      const slots = ((await clients[0]?.[1].session.children(jobs))?.names ?? []).map(Number).sort()
      expect(slots).toEqual(slots.map((_, at) => (slots[0] ?? 0) + at * intervalMs))
      expect(new Set(heard.all)).toEqual(new Set(slots))
      expect((await clients[0]?.[1].session.children(`${root}/task`))?.names).toEqual([])
    }),
  )

  test.concurrent(
    'a slot whose runner lost its session is run again by another; its operations are dropped',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open({ sessionTimeoutMs: 1_500 }), await open()]
      const runs = new Heard<[string, Slot]>()
      const join = (id: string, run: (slot: Slot) => Promise<Operation[]>) => {
        const { session } = id === 'one' ? one : two
        return joinPeriodicTask(session, {
          path: `${root}/task`,
          id,
          schedule: every(200),
          run: (slot) => {
            runs.hear([id, slot])
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
      await two.session.sync(root)
      expect(await two.session.exists(`${root}/late`)).toBeUndefined()
    }),
  )

  test.concurrent(
    'with `once` a slot that failed is not run again; leave() past its deadline gives the run up',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const heard = new Heard<Slot>()
      const task = joinPeriodicTask(session, {
        path: `${root}/task`,
        id: 'one',
        schedule: every(intervalMs),
        attempts: 'once',
        run: (slot) => {
          heard.hear(slot)
          return heard.all.length === 1 ? Promise.reject(new Error('a bug')) : new Promise(() => undefined)
        },
      })
      await heard.first(() => heard.all.length === 2)
      expect(new Set(heard.all.map(({ scheduledMs }) => scheduledMs)).size).toBe(2)
      expect(await ending(task.leave({ timeoutMs: 50 }))).toBe('timeout unknown')
      expect(heard.last?.signal.aborted).toBe(true)
      await task.leave()
      expect((await session.children(`${root}/task`)).names).toEqual([])
    }),
  )

  test.concurrent(
    'with `once` a slot is begun once, also when its record was written by hand meanwhile; wrong options of leave() end no run',
    inWorld(async ({ session: open, root }) => {
      const [{ session }, operator] = [await open(), await open()]
      const path = `${root}/task`
      const slots = new Heard<number>()
      const task = joinPeriodicTask(session, {
        path,
        id: 'a',
        schedule: every(200),
        attempts: 'once',
        run: async ({ scheduledMs, signal }) => {
          if (slots.all.length === 0) {
            expect(await ending(task.leave(wrongLimits))).toBe('bad-arguments not-done')
            expect(signal.aborted).toBe(false)
            await operator.session.set(path, (await operator.session.get(path)).data, 'any')
          }
          slots.hear(scheduledMs)
          return []
        },
      })
      await slots.first(() => slots.all.length === 4)
      expect(new Set(slots.all).size).toBe(slots.all.length)
      await task.leave()
    }),
  )

  test.concurrent(
    'leave() ends by its limits while what a run resolved with is being committed, and that is committed all the same',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const heard = new Heard<Slot>()
      const task = joinPeriodicTask(session, {
        path: `${root}/task`,
        id: 'one',
        schedule: every(intervalMs),
        run: (slot) => {
          network.weather = 'stalled'
          heard.hear(slot)
          return Promise.resolve([{ op: 'create', path: `${root}/job`, data: bytes('') } satisfies Operation])
        },
      })
      await heard.first(() => true)
      expect(await ending(task.leave({ timeoutMs: 30 }))).toBe('timeout unknown')
      expect(await ending(task.leave({ signal: AbortSignal.abort() }))).toBe('aborted unknown')
      network.weather = 'through'
      await task.leave()
      expect(await session.exists(`${root}/job`)).toBeDefined()
      expect([heard.all.length, (await session.children(`${root}/task`)).names]).toEqual([1, []])
    }),
  )

  test.concurrent(
    'leave() gives back what was claimed and not begun: with `once` too another runs that slot',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const heard = new Heard<[string, number]>()
      const options = (id: string): PeriodicTaskOptions => ({
        path: `${root}/task`,
        id,
        schedule: every(intervalMs),
        attempts: 'once',
        catchUpMax: 1_000,
        run: ({ scheduledMs }) => {
          heard.hear([id, scheduledMs])
          return Promise.resolve([])
        },
      })
      const claimed = one.network.cutAfter('multi')
      const task = joinPeriodicTask(one.session, options('one'))
      await claimed
      one.network.weather = 'refusing'
      await two.session.sync(root)
      const { data } = await two.session.get(`${root}/task`)
      expect(await ending(task.leave({ timeoutMs: 30 }))).toBe('timeout unknown')
      one.network.weather = 'through'
      await task.leave()
      await two.session.sync(root)
      expect((await two.session.children(`${root}/task`)).names).toEqual([])
      const other = joinPeriodicTask(two.session, options('two'))
      const [by, slotMs] = await heard.first(() => true)
      expect([by, text(data)]).toEqual(['two', expect.stringContaining(`"slotMs":${slotMs},`)])
      await other.leave()
      expect(heard.all.every(([id]) => id === 'two')).toBe(true)
    }),
  )

  test.concurrent(
    'leave() that comes with the news that the claim stands: nothing is run, and the slot is given back',
    inWorld(async ({ session: open, root: path }) => {
      const { session } = await open()
      const left = Promise.withResolvers<unknown>()
      const get = session.get.bind(session)
      session.get = async (node, options) => {
        const read = await get(node, options)
        if (node.startsWith(`${path}/`)) left.resolve(task.leave())
        return read
      }
      let runs = 0
      const run = () => {
        runs += 1
        return Promise.resolve(undefined)
      }
      const task = joinPeriodicTask(session, { path, id: 'one', schedule: every(intervalMs), run })
      await left.promise
      expect([runs, (await session.children(path)).names]).toEqual([0, []])
      expect(text((await get(path)).data)).not.toContain('claim')
    }),
  )

  test.concurrent(
    'a schedule that gives no whole milliseconds writes nothing; it is reported and asked again',
    inWorld(async ({ session: open, root: path, clock }) => {
      const { session } = await open()
      const heard = logOf(session)
      const slots = new Heard<number>()
      const sound = every(intervalMs)
      let atOrBefore = (): number => NaN
      const task = joinPeriodicTask(session, {
        path,
        id: 'one',
        schedule: { ...sound, atOrBefore: () => atOrBefore() },
        run: ({ scheduledMs }) => {
          slots.hear(scheduledMs)
          return Promise.resolve(undefined)
        },
      })
      const error = await heard.first(() => true)
      expect(error.message).toBe('schedule.atOrBefore() gave NaN, not whole milliseconds')
      expect((await session.get(path)).data).toHaveLength(0)
      atOrBefore = () => sound.atOrBefore(clock.now())
      expect(await slots.first(() => true)).toBeGreaterThan(0)
      await task.leave()
    }),
  )

  test.concurrent.each(['hello', '{"lastMs":null,"lastBy":""}', 'null'])(
    'a node that holds %s is refused and left as it is',
    async (data) => {
      await inWorld(async ({ session: open, root: path }) => {
        const { session } = await open()
        const heard = logOf(session)
        await session.set(path, bytes(data), 'any')
        const run = () => Promise.resolve(undefined)
        const task = joinPeriodicTask(session, { path, id: 'one', schedule: every(intervalMs), run })
        expect(await heard.first(() => true)).toMatchObject({
          code: 'refused',
          message: `${path} holds no record of a periodic task, but ${JSON.stringify(data)}; delete it or use another path`,
        })
        await task.leave()
        expect(text((await session.get(path)).data)).toBe(data)
      })()
    },
  )

  test.concurrent(
    'what run() gives need be no promise; what is no list of operations is refused, and what is wrong counted in it',
    inWorld(async ({ session: open, root: path }) => {
      const { session } = await open()
      const heard = logOf(session)
      const exists = { op: 'create', path, data: bytes('') } as const
      const wrong = { ...exists, path: `${path}/sub`, data: 'y' }
      const commit = { op: 'create', path: `${path}-job`, data: bytes('') } as const
      for (const [given, message, operationIndex] of [
        [() => 'done', `run of ${path} resolves with a list of operations or nothing, not "done"`, undefined],
        [() => [{ op: 'put' }], `run of ${path}: operations[0].op is one of "create", "set"`, undefined],
        [() => [wrong], `data is bytes, a Uint8Array (text: Buffer.from(text)), not "y"; correct it ${place(0)}`, 0],
        [() => [commit, exists], `create ${path}: ZooKeeper answered node-exists [-110] ${place(1)}`, 1],
        [
          () => {
            throw new Error('at once')
          },
          'at once',
          undefined,
        ],
      ] as const) {
        const task = joinPeriodicTask(
          session,
          anyTask({ path, id: 'one', schedule: every(intervalMs), standbyMs: 0, run: given }),
        )
        const error = await heard.first(() => true)
        expect(error).toMatchObject({ message: expect.stringContaining(message) })
        expect(Reflect.get(error, 'operationIndex')).toBe(operationIndex)
        await task.leave()
        heard.all.length = 0
      }
      const ran = new Heard<string>()
      const run = (): unknown => {
        ran.hear('ran')
        return [commit]
      }
      const task = joinPeriodicTask(
        session,
        anyTask({ path, id: 'one', schedule: every(intervalMs), standbyMs: 0, run }),
      )
      await ran.first(() => true)
      await task.leave()
      expect(await session.exists(commit.path)).toBeDefined()
      await session.delete(commit.path, 'any')
    }),
  )
})
