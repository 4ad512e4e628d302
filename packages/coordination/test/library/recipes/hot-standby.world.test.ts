import { describe, expect, test } from '@jest/globals'
import { ZooKeeperError } from '../../../src/index.ts'
import { joinHotStandby, type Active, type HotStandby, type HotStandbyState } from '../../../src/recipes.ts'
import { bytes, type Client, ending, inWorld, text, Heard, type World, wrongLimits } from '../../world/world.ts'

interface Service {
  readonly client: Client
  readonly standby: HotStandby
  readonly states: Heard<HotStandbyState>
  /** Each run, with the means to end it. */
  readonly runs: Heard<{ active: Active; end: () => void; fail: () => void }>
}

async function join({ root, session }: World, id: string): Promise<Service> {
  const client = await session({ sessionTimeoutMs: 1_500 })
  const states = new Heard<HotStandbyState>()
  const runs: Service['runs'] = new Heard()
  const standby = joinHotStandby(client.session, {
    path: `${root}/service`,
    id,
    onState: states.hear,
    run: (active) =>
      new Promise((resolve, reject) => {
        active.signal.addEventListener('abort', () => {
          resolve()
        })
        runs.hear({
          active,
          end: resolve,
          fail: () => {
            reject(new Error('a bug of the service'))
          },
        })
      }),
  })
  return { client, standby, states, runs }
}

async function joinBehind(world: World, first: Service, id: string): Promise<Service> {
  await first.runs.first(() => true)
  const joined = await join(world, id)
  const path = `${world.root}/service/candidates`
  while ((await joined.client.session.exists(path))?.numChildren !== 2) await joined.client.session.sync(path)
  return joined
}

const run = (service: Service, count = 1): ReturnType<Service['runs']['first']> =>
  service.runs
    .first(() => service.runs.all.length >= count)
    .then(() => service.runs.all[count - 1] ?? Promise.reject(new Error('it has not run')))

describe('joinHotStandby', () => {
  test.concurrent(
    'the first runs, the other stands by, and takes over with the last saved context when the first leaves',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const { active } = await run(a)
      expect(active.context).toBeUndefined()
      const b = await joinBehind(world, a, 'b')
      expect([a.standby.state, b.standby.state]).toEqual(['running', 'standby'])
      await Promise.all([active.save(bytes('1')), active.save(bytes('2'))])
      let held: boolean | undefined
      active.signal.addEventListener('abort', () => (held = active.held))
      await a.standby.leave()
      const next = (await run(b)).active
      expect(text(next.context)).toBe('2')
      expect(next.token).toBeGreaterThan(active.token)
      expect(held).toBe(true)
      expect(a.states.all).toEqual(['running', 'stopping', 'left'])
      expect(await ending(active.save(bytes('late')))).toBe('no-node not-done')
      await b.standby.leave()
    }),
  )

  test.concurrent(
    'cut off and back in time: the same run goes on, held again; a save across the cut is in the tree once',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const { active } = await run(a)
      a.client.network.weather = 'refusing' // until it has been looked at
      await a.states.first((state) => state === 'suspended')
      expect(active.held).toBe(false)
      const saved = active.save(bytes('across'))
      a.client.network.weather = 'through'
      await a.states.first((state) => state === 'running' && a.states.all.length >= 3)
      await saved
      expect(active.held).toBe(true)
      await active.save(bytes('after'))
      expect(a.states.all).toEqual(['running', 'suspended', 'running'])
      const { data, stat } = await a.client.session.get(`${world.root}/service/context`)
      expect([text(data), stat.version]).toEqual(['after', 2])
      await a.standby.leave()
    }),
  )

  test.concurrent(
    'its session lost: the run is notified, the other takes over, its own saves are refused, and it stands by again',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const { active } = await run(a)
      await active.save(bytes('mine'))
      const b = await joinBehind(world, a, 'b')
      a.client.network.weather = 'stalled'
      const late = ending(active.save(bytes('late')))
      const next = (await run(b)).active
      expect({ held: active.held, aborted: active.signal.aborted }).toEqual({ held: false, aborted: true })
      expect(text(next.context)).toBe('mine')
      expect(await late).toMatch(/^(session-lost|connection-lost) /)
      a.client.network.weather = 'refusing'
      a.client.network.weather = 'through'
      await a.states.first((state) => state === 'standby')
      expect(a.states.all).toEqual(['running', 'suspended', 'stopping', 'standby'])
      await b.standby.leave()
      expect(text((await run(a, 2)).active.context)).toBe('mine')
      await a.standby.leave()
    }),
  )

  test.concurrent(
    'a service that fails gives way to the next one and stands again; one that ends has left',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const b = await joinBehind(world, a, 'b')
      ;(await run(a)).fail()
      const second = await run(b)
      await a.states.first((state) => state === 'standby')
      second.end()
      await b.states.first((state) => state === 'left')
      await run(a, 2)
      expect(b.states.all).toEqual(['running', 'stopping', 'left'])
      await a.standby.leave()
      expect(a.states.all.slice(0, 4)).toEqual(['running', 'stopping', 'standby', 'running'])
    }),
  )

  test.concurrent(
    'a node deleted by others deposes; a save whose answer was lost is found done',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const { active } = await run(a)
      const multi = a.client.session.multi.bind(a.client.session)
      let sent = 0
      a.client.session.multi = (...call) => {
        sent += 1
        if (sent === 1) a.client.network.weather = 'mute'
        return multi(...call)
      }
      const saved = active.save(bytes('once'))
      await a.client.reaches('suspended')
      a.client.network.weather = 'refusing'
      a.client.network.weather = 'through'
      await saved
      expect(text((await a.client.session.get(`${world.root}/service/context`)).data)).toBe('once')
      const [node] = (await a.client.session.children(`${world.root}/service/candidates`)).names
      await a.client.session.delete(`${world.root}/service/candidates/${String(node)}`, 'any')
      expect((await run(a, 2)).active.token).toBeGreaterThan(active.token)
      expect(active.signal.aborted).toBe(true)
      await a.standby.leave()
    }),
  )

  test.concurrent(
    'leave with a wrongLimits option has left nothing',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const { active } = await run(a)
      expect(await ending(a.standby.leave(wrongLimits))).toBe('bad-arguments not-done')
      expect({ state: a.standby.state, aborted: active.signal.aborted }).toEqual({ state: 'running', aborted: false })
      await a.standby.leave()
    }),
  )

  test.concurrent(
    'save: whatever ends the look after a lost answer is unknown',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const { active } = await run(a)
      const { session } = a.client
      const leaving = new AbortController()
      const [multi, sync] = [session.multi.bind(session), session.sync.bind(session)]
      session.multi = async (...call) => {
        session.multi = multi
        await multi(...call)
        throw new ZooKeeperError('connection-lost', 'the test lost the answer', { outcome: 'unknown' })
      }
      session.sync = (...call) => {
        leaving.abort()
        return sync(...call)
      }
      expect(await ending(active.save(bytes('new'), { signal: leaving.signal }))).toBe('aborted unknown')
      expect(text((await session.get(`${world.root}/service/context`)).data)).toBe('new')
      await a.standby.leave()
    }),
  )

  test.concurrent(
    'save: its limit bounds the wait for the save before, too; who gives up there is never written',
    inWorld(async (world) => {
      const a = await join(world, 'a')
      const { active } = await run(a)
      const { session } = a.client
      const multi = session.multi.bind(session)
      const gate = Promise.withResolvers<undefined>()
      session.multi = async (...call) => {
        session.multi = multi
        await gate.promise
        return multi(...call)
      }
      const first = active.save(bytes('1'))
      const second = ending(active.save(bytes('2'), { timeoutMs: 20 }))
      const third = active.save(bytes('3'))
      expect(await second).toBe('timeout not-done')
      gate.resolve(undefined)
      await Promise.all([first, third])
      const { data, stat } = await session.get(`${world.root}/service/context`)
      expect([text(data), stat.version]).toEqual(['3', 2])
      await a.standby.leave()
    }),
  )
})
