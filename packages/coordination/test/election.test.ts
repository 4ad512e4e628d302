import { expect, test } from '@jest/globals'
import { joinElection, type Election } from '../src/index.ts'
import { inWorld, Told, type Client, type World } from './world.ts'

interface Candidate {
  readonly name: string
  readonly client: Client
  readonly election: Election
}

/** Candidates one after the other, so that the order of the queue is the order of the names; what they told, in order. */
async function stand(world: World, names: readonly string[]): Promise<{ told: Told<string>; candidates: Candidate[] }> {
  const told = new Told<string>()
  const candidates: Candidate[] = []
  const path = `${world.root}/candidates`
  for (const name of names) {
    const client = await world.session({ sessionTimeoutMs: 1_500 })
    const election = joinElection(client.session, {
      path,
      id: name,
      onElected: () => {
        told.tell(`${name} leads`)
      },
      onDeposed: () => {
        told.tell(`${name} stops`)
      },
    })
    candidates.push({ name, client, election })
    while ((await client.session.exists(path))?.numChildren !== candidates.length) await client.session.sync(path)
  }
  return { told, candidates }
}

const leaders = (candidates: readonly Candidate[]): string[] =>
  candidates.filter(({ election }) => election.leading).map(({ name }) => name)

test(
  'joinElection: five candidates, killed one by one: always the next one leads, never two at once',
  inWorld(async (world) => {
    const { told, candidates } = await stand(world, ['a', 'b', 'c', 'd', 'e'])
    for (const candidate of candidates) {
      await told.first((event) => event === `${candidate.name} leads`)
      expect(leaders(candidates)).toEqual([candidate.name])
      await candidate.client.session.close()
    }
    const expected = ['a', 'b', 'c', 'd', 'e'].flatMap((name) => [`${name} leads`, `${name} stops`])
    expect(told.all).toEqual(expected)
  }),
)

test(
  'joinElection: no herd: the end of the first wakes one candidate, the end of one in the middle moves no leader',
  inWorld(async (world) => {
    const { told, candidates } = await stand(world, ['a', 'b', 'c', 'd'])
    const woken: string[] = []
    for (const { name, client } of candidates) {
      const { session } = client
      const children = session.children.bind(session)
      session.children = (...call) => {
        woken.push(name)
        return children(...call)
      }
    }
    await told.first((event) => event === 'a leads')
    await candidates[1]?.election.resign()
    await candidates[0]?.election.resign()
    await told.first((event) => event === 'c leads')
    await candidates[3]?.client.session.sync(world.root) // what would wake it has come before this answer
    expect(new Set(woken)).toEqual(new Set(['a', 'b', 'c']))
    expect(told.all).toEqual(['a leads', 'a stops', 'c leads'])
  }),
)

test(
  'joinElection: suspended: deposed at once; connected again in the same session: leads again, nobody else did',
  inWorld(async (world) => {
    const { told, candidates } = await stand(world, ['a', 'b'])
    await told.first((event) => event === 'a leads')
    const [a] = candidates
    a?.client.network.cut()
    await a?.client.reaches('suspended')
    expect(leaders(candidates)).toEqual([])
    await told.first((event) => event === 'a leads' && told.all.length >= 3)
    expect(told.all).toEqual(['a leads', 'a stops', 'a leads'])
    expect(leaders(candidates)).toEqual(['a'])
  }),
)

test(
  'joinElection: a silent partition of the leader: it stops before the next one leads; back again it queues at the end',
  inWorld(async (world) => {
    const { told, candidates } = await stand(world, ['a', 'b'])
    await told.first((event) => event === 'a leads')
    const [a, b] = candidates
    if (a === undefined || b === undefined) throw new Error('two stand')
    a.client.network.weather = 'stalled'
    await told.first((event) => event === 'b leads')
    expect(told.all).toEqual(['a leads', 'a stops', 'b leads'])
    a.client.network.weather = 'refusing'
    a.client.network.weather = 'through'
    await a.client.reaches('connected')
    await b.client.session.close()
    await told.first((event) => event === 'a leads' && told.all.length >= 5)
    expect(told.all).toEqual(['a leads', 'a stops', 'b leads', 'b stops', 'a leads'])
  }),
)

test(
  'joinElection: a create whose answer was lost is found again: one node per candidate, and it leads',
  inWorld(async (world) => {
    const path = `${world.root}/candidates`
    const { session, network, reaches } = await world.session({ sessionTimeoutMs: 1_500 })
    const observer = await world.session()
    await session.ensurePath(path)
    const told = new Told<string>()
    const create = session.create.bind(session)
    let muted = false
    session.create = (...call) => {
      if (!muted && call[0].startsWith(path)) network.weather = 'mute'
      muted = true
      return create(...call)
    }
    joinElection(session, {
      path,
      id: 'a',
      onElected: () => {
        told.tell('leads')
      },
      onDeposed: () => {
        told.tell('stops')
      },
    })
    await reaches('suspended')
    network.weather = 'refusing'
    network.weather = 'through'
    await told.first((event) => event === 'leads')
    await observer.session.sync(path)
    expect((await observer.session.children(path)).names).toHaveLength(1)
    expect(session.generation).toBe(1)
  }),
)
