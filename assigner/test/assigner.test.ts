import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  explainAnswerSchema,
  parseJson,
  rebalanceAnswerSchema,
  resolveAnswerSchema,
  treeAnswerSchema,
} from '@catchment/protocol'
import { eventually } from '@catchment/testing'
import { failingSyncs, losingAnswers, paths, TestCluster } from './cluster.ts'

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
})

afterEach(async () => {
  await cluster.close()
})

const names = (count: number, prefix = 'g'): { group: string }[] =>
  Array.from({ length: count }, (_, index) => ({ group: `${prefix}${index}` }))

describe('an assigner', () => {
  test('creates 1,000 groups asked for by one resolve, in few transactions, and answers it', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.collector('c2')
    await cluster.sees(assigner, 2)
    const answer = await cluster.resolve(assigner, { groups: names(1_000), waitMs: 10_000 })
    expect(answer.assigned).toHaveLength(1_000)
    expect(answer.pending).toEqual([])
    expect(answer.epoch).toBeLessThanOrEqual(3)
    expect(Object.keys((await cluster.list('c1')).owned)).toHaveLength(500)
  })

  test('resolve waits while no one is there, and is answered by the publish that assigns', async () => {
    const assigner = await cluster.assigner('a1')
    const waiting = cluster.resolve(assigner, { groups: names(1), waitMs: 20_000 })
    await eventually('the resolve waits', async () =>
      (await cluster.get(assigner, '/metrics')).body.includes('catchment_assigner_waiters 1'),
    )
    await cluster.collector('c1')
    expect((await waiting).assigned).toMatchObject([{ group: 'g0', collector: 'c1', epoch: 1 }])
  })

  test('a death lends at once, a return ends the loans, and explain reports why', async () => {
    const assigner = await cluster.assigner('a1')
    const first = await cluster.collector('c1')
    await cluster.collector('c2')
    await cluster.sees(assigner, 2)
    await cluster.resolve(assigner, { groups: names(10), waitMs: 10_000 })
    const before = (await cluster.list('c1')).owned
    await first.stop()
    await eventually('c2 serves all', async () => Object.keys((await cluster.list('c2')).borrowed).length === 5)
    expect(Object.keys((await cluster.list('c1')).lent)).toHaveLength(5)
    await cluster.collector('c1')
    await eventually('c1 serves its own again', async () => Object.keys((await cluster.list('c1')).owned).length === 5)
    expect(Object.keys((await cluster.list('c1')).owned).sort()).toEqual(Object.keys(before).sort())
    const [group = ''] = Object.keys(before)
    const answer = await cluster.get(assigner, `/v1/groups/${encodeURIComponent(group)}/explain`)
    const explained = parseJson(explainAnswerSchema, answer.body, 'explain')
    expect(explained).toMatchObject({ servedBy: 'c1', ownedBy: 'c1', how: 'owned' })
    expect(explained.decisions.map(({ how }) => how)).toEqual(['returned', 'lent', 'owned'])
  })

  test('a collector whose port refuses is gone at once when an agent says so, though its session lives', async () => {
    const assigner = await cluster.assigner('a1')
    const first = await cluster.collector('c1')
    await cluster.collector('c2')
    await cluster.sees(assigner, 2)
    const { assigned } = await cluster.resolve(assigner, { groups: names(2), waitMs: 10_000 })
    const mine = assigned.find(({ collector }) => collector === 'c1')?.group ?? ''
    await first.closePort()
    const answer = await cluster.resolve(assigner, { groups: [{ group: mine, refusedBy: 'c1' }], waitMs: 5_000 })
    expect(answer.assigned).toMatchObject([{ group: mine, collector: 'c2' }])
  })

  test('an epoch that only agents know is one of a tree that was lost: epochs go on after it, by a standby too', async () => {
    const leader = await cluster.assigner('a1')
    await eventually('a1 leads', () => leader.term === 1)
    const standby = await cluster.assigner('a2')
    await cluster.collector('c1')
    await cluster.sees(standby, 1)
    const asked = { groups: [{ group: 'g0', epoch: 41 }], waitMs: 10_000 }
    await eventually('an answer of a newer epoch', async () => {
      const answer = await cluster.post(standby, '/v1/resolve', asked)
      return answer.status === 200 && parseJson(resolveAnswerSchema, answer.body, 'an answer').assigned[0]?.epoch === 43
    })
    expect((await cluster.list('c1')).epoch).toBe(43)
  })

  test('resolve never answers an older epoch than the one asked with', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.resolve(assigner, { groups: names(1), waitMs: 10_000 })
    await expect(cluster.resolve(assigner, { groups: [{ group: 'g0', epoch: 1e12 }] })).rejects.toMatchObject({
      code: 'stale',
      status: 503,
    })
  })

  test('an agent that asks again for groups which no one can create yet is not taken for one that asks for more', async () => {
    const assigner = await cluster.assigner('a1')
    await eventually('a1 leads', () => assigner.term === 1)
    const agent = { id: 'host-1', starts: 1, incarnation: 'one' }
    const ask = (prefix: string): Promise<unknown> =>
      cluster.resolve(assigner, { agent, groups: names(3_000, prefix), waitMs: 0 })
    for (let attempt = 0; attempt < 5; attempt += 1)
      expect(await ask('same')).toMatchObject({ assigned: [], pending: { length: 3_000 } })
    await ask('second')
    await ask('third')
    await expect(ask('fourth')).rejects.toMatchObject({ code: 'too-many-groups', status: 503 })
  })

  test('many agents that cannot reach a living collector make few probes of it', async () => {
    const assigner = await cluster.assigner('a1')
    const collector = await cluster.collector('c1')
    await cluster.resolve(assigner, { groups: names(1), waitMs: 10_000 })
    const refused = { groups: [{ group: 'g0', refusedBy: 'c1' }], waitMs: 500 }
    await Promise.all(Array.from({ length: 40 }, () => cluster.resolve(assigner, refused)))
    expect(collector.probed()).toBeGreaterThan(0)
    expect(collector.probed()).toBeLessThan(4)
  })

  test('rebalance plans without publishing when it is a dry run', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.resolve(assigner, { groups: names(4), waitMs: 10_000 })
    await cluster.collector('c2')
    await eventually('c2 lives', () =>
      assigner.tree().collectors.some(({ id, url }) => id === 'c2' && url !== undefined),
    )
    const dry = await cluster.post(assigner, '/v1/rebalance', { mode: 'global', dryRun: true })
    const plan = parseJson(rebalanceAnswerSchema, dry.body, 'the plan')
    expect(plan).toMatchObject({ published: false, epoch: 1 })
    expect(plan.moves).toHaveLength(2)
    const done = await cluster.post(assigner, '/v1/rebalance', { mode: 'global' })
    expect(parseJson(rebalanceAnswerSchema, done.body, 'the plan')).toMatchObject({ published: true, epoch: 2 })
    expect(Object.keys((await cluster.list('c2')).owned)).toHaveLength(2)
  })
})

describe('two assigners', () => {
  test('the standby forwards creation; the leader’s session dies: the other leads in a higher term, nothing moves', async () => {
    const leader = await cluster.assigner('a1')
    await eventually('a1 leads', () => leader.term === 1)
    const standby = await cluster.assigner('a2')
    await cluster.collector('c1')
    await cluster.collector('c2')
    await eventually('a2 sees the leader', () => standby.tree().leader?.id === 'a1')
    const { assigned } = await cluster.resolve(standby, { groups: names(6), waitMs: 10_000 })
    expect(assigned).toHaveLength(6)
    const lists = [await cluster.list('c1'), await cluster.list('c2')]
    cluster.zookeeper.expireSession(BigInt(`0x${leader.session.sessionId ?? '0'}`))
    await eventually('a2 leads', () => standby.term === 2)
    await eventually('a1 follows', () => leader.term === undefined && leader.tree().leader?.id === 'a2')
    expect([await cluster.list('c1'), await cluster.list('c2')]).toEqual(lists)
    expect(
      cluster.log.entries.filter(({ message }) => message === 'leading').map(({ fields }) => fields),
    ).toMatchObject([{ term: 1 }, { term: 2 }])
    expect(cluster.log.entries.some(({ message }) => message === 'deposed')).toBe(true)
  })

  test('a deposed leader’s late publish is refused by the fence', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await eventually('a1 leads', () => assigner.term === 1)
    const { data } = await cluster.session.get(paths.leader)
    const other = { ...(JSON.parse(data.toString()) as object), id: 'a9', term: 7 }
    await cluster.session.set(paths.leader, Buffer.from(JSON.stringify(other)), 'any')
    const answer = await cluster.resolve(assigner, { groups: names(1), waitMs: 10_000 })
    expect(answer.assigned).toHaveLength(1)
    expect(assigner.term).toBe(8)
  })
})

describe('a fence that is gone', () => {
  test('the leader takes the lead again instead of trying the same again and again', async () => {
    const answers = losingAnswers()
    const assigner = await cluster.assigner('a1', { openSession: answers.openSession })
    await cluster.collector('c1')
    await cluster.sees(assigner, 1)
    await eventually('a1 leads', () => assigner.term === 1)
    await cluster.session.delete(paths.leader, 'any')
    const { assigned } = await cluster.resolve(assigner, { groups: names(1), waitMs: 10_000 })
    expect(assigned).toHaveLength(1)
    expect(answers.sent).toBeLessThan(5)
  })

  test('the whole tree was deleted: it is made again, and groups are assigned again', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.sees(assigner, 1)
    await cluster.resolve(assigner, { groups: names(3), waitMs: 10_000 })
    const forget = async (path: string): Promise<void> => {
      for (const name of (await cluster.session.children(path)).names) await forget(`${path}/${name}`)
      await cluster.session.delete(path, 'any').catch(() => undefined) // somebody has made a child again: so be it
    }
    await forget(paths.root)
    const { assigned } = await cluster.resolve(assigner, { groups: names(3), waitMs: 10_000 })
    expect(assigned).toHaveLength(3)
  })
})

describe('standing again', () => {
  test('a resignation that fails is repeated: a candidate that gave up must not stay first in the queue', async () => {
    const syncs = failingSyncs()
    const assigner = await cluster.assigner('a1', { openSession: syncs.openSession })
    await cluster.collector('c1')
    await eventually('a1 leads', () => assigner.term === 1)
    const { data } = await cluster.session.get(paths.leader)
    await cluster.session.set(paths.leader, data, 'any')
    syncs.failNext()
    const answer = await cluster.resolve(assigner, { groups: names(1), waitMs: 10_000 })
    expect(syncs.failed).toBe(1)
    expect(answer.assigned).toHaveLength(1)
  })
})

describe('a publish whose answer is lost', () => {
  test('everything is read again: what was written stands, once, and nothing is planned twice', async () => {
    const answers = losingAnswers()
    const assigner = await cluster.assigner('a1', { openSession: answers.openSession })
    await cluster.collector('c1')
    await cluster.collector('c2')
    await cluster.sees(assigner, 2)
    answers.loseNext()
    const { assigned } = await cluster.resolve(assigner, { groups: names(10), waitMs: 10_000 })
    expect(assigned).toHaveLength(10)
    expect(answers.lost).toBe(1)
    expect(assigner.tree().epoch).toBe(1)
    const more = await cluster.resolve(assigner, { groups: names(2, 'more'), waitMs: 10_000 })
    expect(more).toMatchObject({ epoch: 2, pending: [] })
  })
})

describe('a node of the tree that cannot be read', () => {
  test('is reported in the tree, with what to do about it; repaired, planning goes on', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.sees(assigner, 1)
    const { data } = await cluster.session.get(paths.collector('c1'))
    await cluster.session.set(paths.collector('c1'), Buffer.from('{'), 'any')
    await eventually(
      'it is reported',
      () => assigner.tree().problems?.[0]?.what.includes(paths.collector('c1')) === true,
    )
    await cluster.session.set(paths.collector('c1'), data, 'any')
    expect((await cluster.resolve(assigner, { groups: names(1), waitMs: 10_000 })).assigned).toHaveLength(1)
    expect(assigner.tree().problems).toBeUndefined()
  })
})

describe('operators', () => {
  test('drain moves everything away for good, and the events report of it', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.collector('c2')
    await cluster.sees(assigner, 2)
    await cluster.resolve(assigner, { groups: names(10), waitMs: 10_000 })
    const heard = cluster.firstEvent(assigner, ({ epoch }) => epoch === 2)
    await cluster.session.create(paths.admin('c1'), Buffer.from(JSON.stringify({ want: 'drain', at: 1 })))
    const drained = (await heard).collectors.find(({ id }) => id === 'c1')
    expect(drained).toMatchObject({ admin: 'drain', groups: [] })
    expect((await cluster.list('c1')).moved['g0'] ?? (await cluster.list('c1')).moved['g1']).toMatchObject({ to: 'c2' })
  })

  test('three of four collectors gone at once: frozen and said so, until an operator says go', async () => {
    const assigner = await cluster.assigner('a1')
    const collectors = await Promise.all(['c1', 'c2', 'c3', 'c4'].map((id) => cluster.collector(id)))
    await cluster.sees(assigner, 4)
    await cluster.resolve(assigner, { groups: names(8), waitMs: 10_000 })
    await Promise.all(collectors.slice(0, 3).map((collector) => collector.stop()))
    await eventually('it is frozen', () => assigner.tree().frozen !== undefined)
    await cluster.post(assigner, '/v1/rebalance', { mode: 'local' })
    await eventually('c4 serves all', async () => {
      const { owned, borrowed } = await cluster.list('c4')
      return Object.keys(owned).length + Object.keys(borrowed).length === 8
    })
    expect(assigner.tree().frozen).toBeUndefined()
  })
})

describe('without ZooKeeper', () => {
  test('it says so, answers for what is assigned, and resumes by itself', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.resolve(assigner, { groups: names(1), waitMs: 10_000 })
    cluster.zookeeper.pause()
    await eventually('it is not ready', async () => (await cluster.get(assigner, '/readyz')).status === 503)
    const answer = await cluster.resolve(assigner, { groups: names(1) })
    expect(answer.assigned).toHaveLength(1)
    const tree = parseJson(treeAnswerSchema, (await cluster.get(assigner, '/v1/tree')).body, 'the tree')
    expect(tree.ageMs).toBeGreaterThan(0)
    cluster.zookeeper.resume()
    await eventually('it is ready', async () => (await cluster.get(assigner, '/readyz')).status === 200)
    const later = await cluster.resolve(assigner, { groups: names(1, 'new'), waitMs: 10_000 })
    expect(later.assigned).toHaveLength(1)
  })
})
