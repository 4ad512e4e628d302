import { expect, test } from '@jest/globals'
import type { CallOptions } from '../../../src/index.ts'
import { doubleBarrier, type Round } from '../../../src/recipes.ts'
import {
  bytes,
  type Client,
  ending,
  inWorld,
  text,
  Heard,
  type World,
  wrongLimits,
  stretchedMs,
} from '../../world/world.ts'

const enter = (world: World, { session }: Client, id: string, call?: CallOptions): Promise<Round> =>
  doubleBarrier(session, { path: `${world.root}/rounds`, id, size: 3 }).enter(call)

async function waiting(world: World, { session }: Client, count: number): Promise<void> {
  const path = `${world.root}/rounds`
  while ((await session.exists(path))?.numChildren !== count) await session.sync(path)
}

test.concurrent(
  'doubleBarrier: no one is in before all are, no one has left before all have; the next round is another',
  inWorld(async (world) => {
    const clients = [await world.session(), await world.session(), await world.session()] as const
    const [a, b, c] = clients
    const heard = new Heard<string>()
    const play = async (client: Client, id: string): Promise<Round> => {
      const round = await enter(world, client, id)
      heard.hear(`${id} in ${round.number}`)
      return round
    }
    const [first, second] = [play(a, 'a'), play(b, 'b')]
    await waiting(world, c, 2)
    expect(heard.all).toEqual([])
    const rounds = await Promise.all([first, second, play(c, 'c')])
    expect(rounds.map(({ number }) => number)).toEqual([1, 1, 1])
    const [ofA, ofB, ofC] = rounds
    const leave = async (round: Round, id: string): Promise<void> => {
      await round.leave()
      heard.hear(`${id} left`)
    }
    const leaving = [leave(ofA, 'a'), leave(ofB, 'b')]
    await waiting(world, c, 1)
    const again = play(a, 'a') // while the others still leave
    await waiting(world, c, 2)
    expect(heard.all).toHaveLength(3)
    await Promise.all([...leaving, leave(ofC, 'c')])
    const next = await Promise.all([again, play(b, 'b'), play(c, 'c')])
    expect(next.map(({ number }) => number)).toEqual([2, 2, 2])
    expect(heard.all.slice(3, 6).sort()).toEqual(['a left', 'b left', 'c left'])
  }),
)

test.concurrent(
  'doubleBarrier: who dies or gives up while entering is out, its place another’s; the fourth waits for the next round',
  inWorld(async (world) => {
    const clients = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(() => world.session()))
    const [a, b, c, d, e] = clients
    if (!a || !b || !c || !d || !e) throw new Error('five enter')
    const dies = ending(enter(world, a, 'a'))
    await waiting(world, c, 1)
    expect(await ending(enter(world, b, 'b', { timeoutMs: 100 }))).toBe('timeout not-done')
    await a.session.close()
    expect(await dies).toBe('closed not-done')
    await waiting(world, c, 0)
    const rounds = await Promise.all([enter(world, b, 'b'), enter(world, c, 'c'), enter(world, d, 'd')])
    expect(rounds.map(({ number }) => number)).toEqual([1, 1, 1])
    expect(await ending(enter(world, e, 'e', { timeoutMs: 100 }))).toBe('timeout not-done')
    await b.session.close()
    await Promise.all(rounds.slice(1).map((round) => round.leave()))
    await waiting(world, c, 0)
  }),
)

test.concurrent(
  'doubleBarrier: who waits to leave gives up by its deadline, and has left; who loses its session is notified so',
  inWorld(async (world) => {
    const [a, b, c] = [await world.session({ sessionTimeoutMs: 1_500 }), await world.session(), await world.session()]
    const [ofA, ofB, ofC] = await Promise.all([enter(world, a, 'a'), enter(world, b, 'b'), enter(world, c, 'c')])
    expect(await ending(ofB.leave({ timeoutMs: 50 }))).toBe('timeout unknown')
    a.network.weather = 'refusing'
    const left = ofC.leave()
    await a.reaches('lost')
    expect(ofA.signal.aborted).toBe(true)
    expect(await ending(ofA.leave())).toBe('session-lost not-done')
    await left
  }),
)

test.concurrent(
  'doubleBarrier: a round is not opened with one who has gone since the line was read',
  inWorld(async (world) => {
    const [a, b, c] = [await world.session(), await world.session(), await world.session()]
    const multi = a.session.multi.bind(a.session)
    let opened = 0
    a.session.multi = async (...call) => {
      opened += 1
      if (opened === 1) await c.session.close()
      return multi(...call)
    }
    const over = new AbortController()
    const first = ending(enter(world, a, 'a', { signal: over.signal }))
    await waiting(world, b, 1)
    const second = ending(enter(world, b, 'b', { signal: over.signal }))
    expect(await ending(enter(world, c, 'c'))).toBe('closed not-done')
    await waiting(world, b, 2)
    // Whatever they do upon the end of c has been answered once the line has gone through these.
    for (const { session } of [a, b, a, b, a, b]) await session.sync(world.root)
    over.abort()
    expect(await Promise.all([first, second])).toEqual(['aborted not-done', 'aborted not-done'])
    expect(opened).toBe(1)
  }),
)

test.concurrent(
  'doubleBarrier: a round whose opening lost its answer is open, once',
  inWorld(async (world) => {
    const [a, b, c] = [await world.session({ sessionTimeoutMs: 1_500 }), await world.session(), await world.session()]
    const multi = a.session.multi.bind(a.session)
    let muted = 0
    a.session.multi = (...call) => {
      if (muted === 0) a.network.weather = 'mute'
      muted += 1
      return multi(...call)
    }
    const first = enter(world, a, 'a')
    await waiting(world, b, 1)
    const others = [enter(world, b, 'b'), enter(world, c, 'c')]
    await a.reaches('suspended')
    a.network.weather = 'refusing'
    a.network.weather = 'through'
    const rounds = await Promise.all([first, ...others])
    expect({ muted, rounds: rounds.map(({ number }) => number) }).toEqual({ muted: 1, rounds: [1, 1, 1] })
  }),
)

test.concurrent(
  'doubleBarrier: refuses a size that cannot be and a node that is something else',
  inWorld(async (world) => {
    const { session } = await world.session()
    expect(() => doubleBarrier(session, { path: '/a', id: 'a', size: 0 })).toThrow('1 to 1000')
    await session.create(`${world.root}/other`, bytes('something else'))
    const other = doubleBarrier(session, { path: `${world.root}/other`, id: 'a', size: 1 })
    expect(await ending(other.enter())).toBe('bad-arguments not-done')
    expect((await session.children(`${world.root}/other`)).names).toEqual([])
  }),
)

test.concurrent(
  'doubleBarrier: who waits and has its node deleted by somebody else stands again, and the round begins',
  inWorld(async (world) => {
    const [a, b, c] = [await world.session(), await world.session(), await world.session()]
    const first = enter(world, a, 'a')
    await waiting(world, c, 1)
    const second = enter(world, b, 'b')
    await waiting(world, c, 2)
    // Whatever they read upon the arrival of b has been answered once the line has gone through these.
    for (const { session } of [a, b, a, b, a, b]) await session.sync(world.root)
    const path = `${world.root}/rounds`
    const { names } = await c.session.children(path)
    for (const name of names)
      if (text((await c.session.get(`${path}/${name}`)).data) === 'b') await c.session.delete(`${path}/${name}`, 'any')
    const rounds = await Promise.all([first, second, enter(world, c, 'c', { timeoutMs: stretchedMs(3_000) })])
    expect(rounds.map(({ number }) => number)).toEqual([1, 1, 1])
  }),
)

test.concurrent(
  'doubleBarrier: leave with a wrongLimits option has left nothing',
  inWorld(async (world) => {
    const [a, b, c] = [await world.session(), await world.session(), await world.session()]
    const [round, ...others] = await Promise.all([enter(world, a, 'a'), enter(world, b, 'b'), enter(world, c, 'c')])
    expect(await ending(round.leave(wrongLimits))).toBe('bad-arguments not-done')
    expect(round.signal.aborted).toBe(false)
    await Promise.all([round, ...others].map((each) => each.leave()))
  }),
)
