import { describe, expect, test } from '@jest/globals'
import {
  joinColdStandby,
  type ColdStandby,
  type ColdStandbyOptions,
  type RunningTask,
  type TaskEnd,
} from '../../../src/recipes.ts'
import { bytes, type Client, ending, inWorld, text, Heard, type World, wrongLimits } from '../../world/world.ts'

interface Runner {
  readonly client: Client
  readonly group: ColdStandby
  readonly runs: Heard<{ task: RunningTask; end: (end: TaskEnd) => void; fail: () => void }>
}

async function join(world: World, id: string, options: Partial<ColdStandbyOptions> = {}): Promise<Runner> {
  const client = await world.session({ sessionTimeoutMs: 1_500 })
  const runs: Runner['runs'] = new Heard()
  const group = joinColdStandby(client.session, {
    path: `${world.root}/group`,
    id,
    spreadMs: 5,
    scanMs: 200,
    run: (task) =>
      new Promise((resolve, reject) => {
        task.signal.addEventListener('abort', () => {
          resolve('release')
        })
        runs.hear({
          task,
          end: resolve,
          fail: () => {
            reject(new Error('a bug of the task'))
          },
        })
      }),
    ...options,
  })
  return { client, group, runs }
}

async function addTasks({ root, session }: World, names: readonly string[]): Promise<Client['session']> {
  const operator = (await session()).session
  await operator.ensurePath(`${root}/group/tasks`)
  for (const name of names) await operator.create(`${root}/group/tasks/${name}`, bytes(`what ${name} is`))
  return operator
}

describe('joinColdStandby', () => {
  test.concurrent(
    'each task runs at one member, no member takes more than it may, the rest waits until there is room',
    inWorld(async (world) => {
      const operator = await addTasks(world, ['t1', 't2', 't3'])
      const [a, b] = [await join(world, 'a'), await join(world, 'b')]
      const first = await a.runs.first(() => true)
      const second = await b.runs.first(() => true)
      const started = [first, second].map(({ task }) => task.name)
      expect(new Set(started).size).toBe(2)
      expect(text(first.task.definition)).toBe(`what ${first.task.name} is`)
      expect([first.task.held, a.group.running]).toEqual([true, [first.task.name]])
      await operator.sync(world.root)
      const { names } = await operator.children(`${world.root}/group/claims`)
      expect(names.sort()).toEqual([...started].sort())
      first.end('remove')
      const third = await a.runs.first(() => a.runs.all.length === 2).then(() => a.runs.all[1])
      expect(started).not.toContain(third?.task.name)
      await operator.sync(world.root)
      expect(await operator.exists(`${world.root}/group/tasks/${first.task.name}`)).toBeUndefined()
      await Promise.all([a.group.leave(), b.group.leave()])
      await operator.sync(world.root)
      expect((await operator.children(`${world.root}/group/claims`)).names).toEqual([])
      expect((await operator.children(`${world.root}/group/tasks`)).names).toHaveLength(2)
    }),
  )

  test.concurrent(
    'a task that comes later is run; kept, it is done with its definition; released, it runs again with a higher token',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const operator = await addTasks(world, ['later'])
      const first = await a.runs.first(() => true)
      first.end('release')
      await a.runs.first(() => a.runs.all.length === 2)
      const again = a.runs.all[1]
      expect(again?.task.token).toBeGreaterThan(first.task.token)
      again?.end('keep')
      await operator.sync(world.root)
      while ((await operator.exists(`${world.root}/group/done/later`)) === undefined) await operator.sync(world.root)
      expect(text((await operator.get(`${world.root}/group/done/later`)).data)).toBe('what later is')
      expect((await operator.children(`${world.root}/group/tasks`)).names).toEqual([])
      await a.group.leave()
    }),
  )

  test.concurrent(
    'a member whose session is lost: its runs are notified, another takes its task; what fails is left to others',
    inWorld(async (world) => {
      const operator = await addTasks(world, ['t'])
      const a = await join(world, 'a')
      const { task } = await a.runs.first(() => true)
      const b = await join(world, 'b')
      a.client.network.weather = 'refusing'
      await a.client.reaches('suspended')
      expect({ held: task.held, aborted: task.signal.aborted }).toEqual({ held: false, aborted: false })
      const taken = await b.runs.first(() => true)
      expect(taken.task.token).toBeGreaterThan(task.token)
      expect({ held: task.held, aborted: task.signal.aborted }).toEqual({ held: false, aborted: true })
      a.client.network.weather = 'through'
      taken.fail()
      await a.runs.first(() => a.runs.all.length === 2)
      expect(b.runs.all).toHaveLength(1)
      await Promise.all([a.group.leave(), b.group.leave()])
      await operator.sync(world.root)
      expect((await operator.children(`${world.root}/group/claims`)).names).toEqual([])
    }),
  )

  test.concurrent(
    'a claim whose answer was lost is found and run, once; leaving gives it back',
    inWorld(async (world) => {
      const operator = await addTasks(world, ['t'])
      const client = await world.session({ sessionTimeoutMs: 1_500 })
      const multi = client.session.multi.bind(client.session)
      let sent = 0
      client.session.multi = (...call) => {
        sent += 1
        if (sent === 1) client.network.weather = 'mute'
        return multi(...call)
      }
      const heard = new Heard<string>()
      const group = joinColdStandby(client.session, {
        path: `${world.root}/group`,
        id: 'a',
        run: (task) => {
          heard.hear(task.name)
          return new Promise((resolve) => {
            task.signal.addEventListener('abort', () => {
              resolve('release')
            })
          })
        },
      })
      await client.reaches('suspended')
      client.network.weather = 'refusing'
      client.network.weather = 'through'
      await heard.first(() => true)
      expect({ sent, generation: client.session.generation }).toEqual({ sent: 1, generation: 1 })
      await group.leave()
      expect(heard.all).toEqual(['t'])
      await operator.sync(world.root)
      expect((await operator.children(`${world.root}/group/claims`)).names).toEqual([])
    }),
  )

  test.concurrent(
    'leave gives up by its deadline; a claim that is another’s meanwhile stands',
    inWorld(async (world) => {
      const operator = await addTasks(world, ['t'])
      const a = await join(world, 'a', { run: () => new Promise(() => undefined) })
      while (a.group.running.length === 0) await operator.sync(world.root)
      const claim = `${world.root}/group/claims/t`
      await operator.sync(world.root)
      while ((await operator.exists(claim)) === undefined) await operator.sync(world.root)
      expect(await ending(a.group.leave({ timeoutMs: 30 }))).toBe('timeout unknown')
      const b = await join(world, 'b')
      await operator.delete(claim, 'any')
      await b.runs.first(() => true)
      await a.client.session.close()
      await operator.sync(world.root)
      expect((await operator.exists(claim))?.ephemeralOwner).toBe(b.client.session.sessionId)
      await b.group.leave()
    }),
  )

  test.concurrent(
    'leave with a wrongLimits option has left nothing',
    inWorld(async (world) => {
      await addTasks(world, ['t'])
      const a = await join(world, 'a')
      const { task } = await a.runs.first(() => true)
      expect(await ending(a.group.leave(wrongLimits))).toBe('bad-arguments not-done')
      expect({ running: a.group.running, aborted: task.signal.aborted }).toEqual({ running: ['t'], aborted: false })
      await a.group.leave()
    }),
  )
})
