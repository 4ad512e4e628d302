import { expect, test } from '@jest/globals'
import { joinElection, observeLeader, type Election, type Leader } from '../../src/index.ts'
import { bytes, ending, inWorld, Heard, type Client, type World } from '../world/world.ts'

function stand({ root }: World, { session }: Client, id: string): Promise<Election> {
  return new Promise((resolve) => {
    const election = joinElection(session, {
      path: `${root}/candidates`,
      id,
      onElected: () => {
        resolve(election)
      },
      onDeposed: () => undefined,
    })
  })
}

test.concurrent(
  'observeLeader: reports no one, then who leads with its node and token, then the next one; candidates in order',
  inWorld(async (world) => {
    const [a, b, watcher] = [await world.session(), await world.session(), await world.session()]
    const path = `${world.root}/candidates`
    const heard = new Heard<Leader | undefined>()
    const observed = observeLeader(watcher.session, { path, onLeader: heard.hear })
    expect(await heard.first(() => true)).toBeUndefined()
    const first = await stand(world, a, 'a')
    const leader = await heard.first((seen) => seen?.id === 'a')
    expect(leader?.token).toBe(first.token)
    const second = stand(world, b, 'b')
    while ((await watcher.session.exists(path))?.numChildren !== 2) await watcher.session.sync(path)
    const candidates = await observed.candidates()
    expect(candidates.map(({ id, holds }) => [id, holds])).toEqual([
      ['a', true],
      ['b', false],
    ])
    expect(candidates[0]?.node).toBe(leader?.node)
    await first.resign()
    await heard.first((seen) => seen?.id === 'b')
    expect((await observed.refresh())?.token).toBe((await second).token)
    await (await second).resign()
    await heard.first(() => heard.all.length === 4)
    expect(heard.all.map((seen) => seen?.id)).toEqual([undefined, 'a', 'b', undefined])
    expect(observed.leader).toBeUndefined()
    await observed.close()
    expect(await ending(observed.refresh())).toBe('closed not-done')
  }),
)

test.concurrent(
  'observeLeader: candidates that come and go after the leader wake no one; what is no candidate is none',
  inWorld(async (world) => {
    const [a, b, watcher] = [await world.session(), await world.session(), await world.session()]
    const path = `${world.root}/candidates`
    await watcher.session.create(path, bytes(''))
    await watcher.session.create(`${path}/note`, bytes('of an operator'))
    const heard = new Heard<string>()
    const observed = observeLeader(watcher.session, {
      path,
      onLeader: (leader) => {
        heard.hear(leader?.id ?? 'no one')
      },
    })
    await heard.first((seen) => seen === 'no one')
    await stand(world, a, 'a')
    await heard.first((seen) => seen === 'a')
    let reads = 0
    const children = watcher.session.children.bind(watcher.session)
    watcher.session.children = (...call) => {
      reads += 1
      return children(...call)
    }
    const second = joinElection(b.session, {
      path,
      id: 'b',
      onElected: () => undefined,
      onDeposed: () => undefined,
    })
    while ((await a.session.exists(path))?.numChildren !== 3) await a.session.sync(path)
    await second.resign()
    await watcher.session.sync(path)
    expect(reads).toBe(0)
    await observed.close()
  }),
)

test.concurrent(
  'observeLeader: stale while cut off, and the change is found when it is back',
  inWorld(async (world) => {
    const [a, b, watcher] = [await world.session(), await world.session(), await world.session()]
    const heard = new Heard<string>()
    const observed = observeLeader(watcher.session, {
      path: `${world.root}/candidates`,
      onLeader: (leader) => {
        heard.hear(leader?.id ?? 'no one')
      },
      onStale: (stale) => {
        heard.hear(stale ? 'stale' : 'fresh')
      },
    })
    const first = await stand(world, a, 'a')
    await heard.first((seen) => seen === 'a')
    watcher.network.weather = 'refusing'
    await heard.first((seen) => seen === 'stale')
    expect(observed.stale).toBe(true)
    await first.resign()
    await stand(world, b, 'b')
    watcher.network.weather = 'through'
    await heard.first((seen) => seen === 'b')
    await heard.first(() => heard.last === 'fresh')
    expect(heard.all).toEqual(['no one', 'fresh', 'a', 'stale', 'b', 'fresh'])
    await observed.close()
  }),
)
