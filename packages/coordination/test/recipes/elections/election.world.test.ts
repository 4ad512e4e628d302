import { expect, test } from '@jest/globals'
import { joinElection, type Election } from '../../../src/index.ts'
import { ending, inWorld, Heard, type Client, type World } from '../../world/world.ts'

interface Candidate {
  readonly name: string
  readonly client: Client
  readonly election: Election
}

/** Candidates one after the other, so that the order of the queue is the order of the names; what they reported, in order. */
async function stand(
  world: World,
  names: readonly string[],
): Promise<{ heard: Heard<string>; candidates: Candidate[] }> {
  const heard = new Heard<string>()
  const candidates: Candidate[] = []
  const path = `${world.root}/candidates`
  for (const name of names) {
    const client = await world.session({ sessionTimeoutMs: 1_500 })
    const election = joinElection(client.session, {
      path,
      id: name,
      onElected: () => {
        heard.hear(`${name} leads`)
      },
      onDeposed: () => {
        heard.hear(`${name} stops`)
      },
    })
    candidates.push({ name, client, election })
    while ((await client.session.exists(path))?.numChildren !== candidates.length) await client.session.sync(path)
  }
  return { heard, candidates }
}

const leaders = (candidates: readonly Candidate[]): string[] =>
  candidates.filter(({ election }) => election.leading).map(({ name }) => name)

test.concurrent(
  'joinElection: five candidates, killed one by one: always the next one leads, never two at once',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b', 'c', 'd', 'e'])
    for (const candidate of candidates) {
      await heard.first((event) => event === `${candidate.name} leads`)
      expect(leaders(candidates)).toEqual([candidate.name])
      await candidate.client.session.close()
    }
    const expected = ['a', 'b', 'c', 'd', 'e'].flatMap((name) => [`${name} leads`, `${name} stops`])
    expect(heard.all).toEqual(expected)
  }),
)

test.concurrent(
  'joinElection: no herd: the end of the first wakes one candidate, the end of one in the middle moves no leader',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b', 'c', 'd'])
    const woken: string[] = []
    for (const { name, client } of candidates) {
      const { session } = client
      const children = session.children.bind(session)
      session.children = (...call) => {
        woken.push(name)
        return children(...call)
      }
    }
    await heard.first((event) => event === 'a leads')
    await candidates[1]?.election.resign()
    await candidates[0]?.election.resign()
    await heard.first((event) => event === 'c leads')
    await candidates[3]?.client.session.sync(world.root) // what would wake it has come before this answer
    expect(new Set(woken)).toEqual(new Set(['c']))
    expect(heard.all).toEqual(['a leads', 'a stops', 'c leads'])
  }),
)

test.concurrent(
  'joinElection: suspended: deposed at once; connected again in the same session: leads again, no one else did',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b'])
    await heard.first((event) => event === 'a leads')
    const [a] = candidates
    if (a === undefined) throw new Error('two stand')
    a.client.network.weather = 'refusing' // until it has been looked at
    await a.client.reaches('suspended')
    expect(leaders(candidates)).toEqual([])
    a.client.network.weather = 'through'
    await heard.first((event) => event === 'a leads' && heard.all.length >= 3)
    expect(heard.all).toEqual(['a leads', 'a stops', 'a leads'])
    expect(leaders(candidates)).toEqual(['a'])
  }),
)

test.concurrent(
  'joinElection: a silent partition of the leader: it stops before the next one leads; back again it queues at the end',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b'])
    await heard.first((event) => event === 'a leads')
    const [a, b] = candidates
    if (a === undefined || b === undefined) throw new Error('two stand')
    a.client.network.weather = 'stalled'
    await heard.first((event) => event === 'b leads')
    expect(heard.all).toEqual(['a leads', 'a stops', 'b leads'])
    a.client.network.weather = 'refusing'
    a.client.network.weather = 'through'
    await a.client.reaches('connected')
    await b.client.session.close()
    await heard.first((event) => event === 'a leads' && heard.all.length >= 5)
    expect(heard.all).toEqual(['a leads', 'a stops', 'b leads', 'b stops', 'a leads'])
  }),
)

test.concurrent(
  'joinElection: a create whose answer was lost is found again: one node per candidate, and it leads',
  inWorld(async (world) => {
    const path = `${world.root}/candidates`
    const { session, network, reaches } = await world.session({ sessionTimeoutMs: 1_500 })
    const observer = await world.session()
    await session.ensurePath(path)
    const heard = new Heard<string>()
    const create = session.createWithStat.bind(session)
    let muted = false
    session.createWithStat = (...call) => {
      if (!muted && call[0].startsWith(path)) network.weather = 'mute'
      muted = true
      return create(...call)
    }
    joinElection(session, {
      path,
      id: 'a',
      onElected: () => {
        heard.hear('leads')
      },
      onDeposed: () => {
        heard.hear('stops')
      },
    })
    await reaches('suspended')
    network.weather = 'refusing'
    network.weather = 'through'
    await heard.first((event) => event === 'leads')
    await observer.session.sync(path)
    expect((await observer.session.children(path)).names).toHaveLength(1)
    expect(session.generation).toBe(1)
  }),
)

// What follows happened to others: Curator's LeaderLatch had two leaders at once.

/** Runs `then` instead of handing out the next list of children: what is read is old by the time it arrives. */
function holdBackNextLook({ session }: Client, then: () => Promise<void>): void {
  const children = session.children.bind(session)
  let held = false
  session.children = async (...call) => {
    const answer = await children(...call)
    if (!held) {
      held = true
      await then()
    }
    return answer
  }
}

test.concurrent(
  'joinElection: what was read before a suspension elects no one (CURATOR-444)',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b'])
    const [a, b] = candidates
    if (a === undefined || b === undefined) throw new Error('two stand')
    await heard.first((event) => event === 'a leads')
    holdBackNextLook(b.client, async () => {
      b.client.network.weather = 'refusing'
      await b.client.reaches('suspended')
      expect(b.election.leading).toBe(false)
      heard.hear('b is cut off')
      b.client.network.weather = 'through'
      await b.client.reaches('connected')
      heard.hear('b is back')
    })
    await a.election.resign()
    await heard.first((event) => event === 'b leads')
    expect(heard.all).toEqual(['a leads', 'a stops', 'b is cut off', 'b is back', 'b leads'])
  }),
)

test.concurrent(
  'joinElection: a node of a lost session that still stands is not taken for its own (CURATOR-620, CURATOR-696)',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b'])
    const [a, b] = candidates
    if (a === undefined || b === undefined) throw new Error('two stand')
    await heard.first((event) => event === 'a leads')
    const path = `${world.root}/candidates`
    const before = a.election.token
    a.client.network.weather = 'stalled'
    await heard.first((event) => event === 'b leads')
    expect(a.election.token).toBeUndefined()
    a.client.network.weather = 'refusing'
    a.client.network.weather = 'through'
    await a.client.reaches('connected')
    while ((await b.client.session.exists(path))?.numChildren !== 2) await b.client.session.sync(path)
    expect(leaders(candidates)).toEqual(['b'])
    await b.election.resign()
    await heard.first((event) => event === 'a leads' && heard.all.length >= 5)
    const { names } = await a.client.session.children(path)
    const stat = await a.client.session.exists(`${path}/${String(names[0])}`)
    expect(names).toHaveLength(1)
    expect(stat?.ephemeralOwner).toBe(a.client.session.sessionId)
    expect(a.election.token).toBe(BigInt(`0x${String(stat?.czxid)}`))
    expect(a.election.token).toBeGreaterThan(before ?? 0n)
  }),
)

test.concurrent(
  'joinElection: a leader whose node is deleted by others perceives it and goes to the end of the line (CURATOR-696)',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b'])
    const path = `${world.root}/candidates`
    await heard.first((event) => event === 'a leads')
    const admin = await world.session()
    const first = (await admin.session.children(path)).names.sort((one, other) =>
      one.slice(-10) < other.slice(-10) ? -1 : 1,
    )[0]
    await admin.session.delete(`${path}/${String(first)}`, 'any')
    await heard.first((event) => event === 'b leads')
    await heard.first((event) => event === 'a stops')
    await admin.session.sync(path)
    while ((await admin.session.exists(path))?.numChildren !== 2) await admin.session.sync(path)
    expect(leaders(candidates)).toEqual(['b'])
  }),
)

test.concurrent(
  'joinElection: who has resigned is not elected by a look that was under way, and leaves no node (CURATOR-652, CURATOR-653)',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b', 'c'])
    const [a, b] = candidates
    if (a === undefined || b === undefined) throw new Error('three stand')
    await heard.first((event) => event === 'a leads')
    let resigned: Promise<void> | undefined
    holdBackNextLook(b.client, () => {
      resigned = b.election.resign()
      return Promise.resolve()
    })
    await a.election.resign()
    await heard.first((event) => event === 'c leads')
    await resigned
    expect(heard.all).toEqual(['a leads', 'a stops', 'c leads'])
    expect((await b.client.session.children(`${world.root}/candidates`)).names).toHaveLength(1)
  }),
)

test.concurrent(
  'joinElection: resign gives up by its deadline and removes the node all the same',
  inWorld(async (world) => {
    const { heard, candidates } = await stand(world, ['a', 'b'])
    const [a] = candidates
    if (a === undefined) throw new Error('two stand')
    await heard.first((event) => event === 'a leads')
    a.client.network.weather = 'stalled'
    expect(await ending(a.election.resign({ timeoutMs: 30 }))).toBe('timeout unknown')
    expect(a.election.leading).toBe(false)
    a.client.network.weather = 'through'
    await heard.first((event) => event === 'b leads')
    await a.election.resign()
    expect(heard.all).toEqual(['a leads', 'a stops', 'b leads'])
  }),
)

test.concurrent(
  'joinElection: the signal of an election aborts when it is over, before onDeposed; the next one has its own',
  inWorld(async (world) => {
    const { session, network } = await world.session()
    const terms = new Heard<AbortSignal>()
    const over = new Heard<boolean>()
    const election = joinElection(session, {
      path: `${world.root}/candidates`,
      id: 'a',
      onElected: (_, signal) => {
        terms.hear(signal)
      },
      onDeposed: () => {
        over.hear(terms.last?.aborted === true)
      },
    })
    const first = await terms.first(() => true)
    network.cut()
    const second = await terms.first((signal) => signal !== first)
    expect([first.aborted, second.aborted, over.all]).toEqual([true, false, [true]])
    await election.resign()
    expect([second.aborted, over.all]).toEqual([true, [true, true]])
  }),
)
