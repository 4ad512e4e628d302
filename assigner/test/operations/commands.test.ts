import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { fifoQueue } from '@catchment/coordination'
import {
  adminSchema,
  commandAnswerSchema,
  commandsAnswerSchema,
  commandsWaitingMax,
  decodeZnode,
  emptyCollectorList,
  encodeZnode,
  errorAnswerSchema,
  explainAnswerSchema,
  leaderSchema,
  outcomesMax,
  parseJson,
  type CommandAnswer,
  type CommandOutcome,
  type CommandVerb,
} from '@catchment/protocol'
import { eventually } from '@catchment/testing'
import type { RunningAssigner } from '../../src/assigner.ts'
import { judge, unknownText, withOutcome } from '../../src/operations/decide/commands.ts'
import { losingAnswers, paths, TestCluster } from '../cluster.ts'
import { statusOf } from '../simulated-tree.ts'

const serving = { list: emptyCollectorList, living: true, awaited: false, admin: 'serve' } as const
const owned = { g0: { since: 1, load: 0 } }

describe('judge', () => {
  const gone = { ...serving, id: 'c1', status: undefined, living: false }
  const owning = { ...gone, list: { ...emptyCollectorList, owned } }
  const living = { ...serving, id: 'c2', status: statusOf('c2') }
  const heard = (verb: CommandVerb, views: readonly (typeof gone | typeof living)[], obstacle?: string): unknown =>
    judge({ verb, target: 'c1' }, new Map(views.map((view) => [view.id, view])), obstacle)

  test('an unknown id is refused, naming the known ones', () => {
    expect(heard('drain', [living])).toEqual({ kind: 'refuse', text: unknownText('c1', ['c2']) })
    expect(unknownText('c1', ['c3', 'c2'])).toBe('there is no collector c1: the known ones are c2, c3')
    expect(unknownText('c1', [])).toBe('there is no collector c1: no collector is known yet')
  })

  test('forget: not while its status stands; what it owns is taken over first, where somebody can', () => {
    expect(heard('forget', [{ ...living, id: 'c1' }])).toMatchObject({ kind: 'refuse' })
    expect(heard('forget', [gone, living])).toMatchObject({ kind: 'forget' })
    expect(heard('forget', [owning, living])).toEqual({ kind: 'take-over' })
    expect(heard('forget', [owning])).toMatchObject({ kind: 'refuse' })
    expect(heard('forget', [owning, living], 'it is frozen')).toEqual({
      kind: 'refuse',
      text: 'c1 owns 1 groups, and it is frozen',
    })
  })

  test('drain, cordon and serve are for the living and for the dead', () => {
    expect(heard('drain', [gone])).toMatchObject({ kind: 'want', want: 'drain' })
    expect(heard('cordon', [{ ...living, id: 'c1' }])).toMatchObject({ kind: 'want', want: 'cordon' })
    expect(heard('serve', [gone])).toMatchObject({ kind: 'want', want: 'serve' })
  })
})

test('withOutcome keeps the newest outcomes, the newest first', () => {
  const outcome = (id: number): CommandOutcome => ({
    ...{ id: String(id), verb: 'drain', target: 'c1', by: 'me', at: 0 },
    ...{ outcome: 'done', text: '', doneAt: id, leader: 'a1', term: 1, epoch: 1 },
  })
  let kept: CommandOutcome[] = []
  for (let id = 0; id < outcomesMax + 5; id += 1) kept = withOutcome(kept, outcome(id))
  expect([kept.length, kept[0]?.id, kept.at(-1)?.id]).toEqual([outcomesMax, String(outcomesMax + 4), '5'])
})

describe('commands of operators', () => {
  let cluster: TestCluster
  let count = 0

  beforeEach(async () => {
    cluster = await TestCluster.start()
  })

  afterEach(async () => {
    await cluster.close()
  })

  async function ask(
    assigner: RunningAssigner,
    verb: CommandVerb,
    target: string,
    fields: object = {},
  ): Promise<CommandAnswer> {
    count += 1
    const request = { id: `command-${count}`, verb, target, by: 'alice@desk', waitMs: 20_000, ...fields }
    const answer = await cluster.post(assigner, '/v1/commands', request)
    if (answer.status > 299) throw new Error(parseJson(errorAnswerSchema, answer.body, 'a refusal').error.message)
    return parseJson(commandAnswerSchema, answer.body, 'an answer')
  }

  const groups = Array.from({ length: 6 }, (_, index) => ({ group: `g${index}` }))

  test('drain by a standby moves the groups, and the journal names the command; serve ends it', async () => {
    const leader = await cluster.assigner('a1')
    await eventually('a1 leads', () => leader.term === 1)
    const standby = await cluster.assigner('a2')
    await cluster.collector('c1')
    await cluster.collector('c2')
    await cluster.sees(leader, 2)
    await cluster.resolve(leader, { groups, waitMs: 10_000 })
    const [group = ''] = Object.keys((await cluster.list('c1')).owned)
    const { outcome, command } = await ask(standby, 'drain', 'c1')
    expect(outcome).toMatchObject({ outcome: 'done', leader: 'a1', term: 1 })
    await eventually('c1 owns nothing', async () => Object.keys((await cluster.list('c1')).owned).length === 0)
    const explained = await cluster.get(leader, `/v1/groups/${group}/explain`)
    const { decisions } = parseJson(explainAnswerSchema, explained.body, 'explain')
    expect(decisions[0]?.why).toBe(`drain c1, asked by alice@desk (command ${command.id})`)
    await ask(standby, 'serve', 'c1')
    const admin = await cluster.session.get(paths.admin('c1'))
    expect(decodeZnode(adminSchema, admin.data, 'admin').want).toBe('serve')
  })

  test('forget: refused while it lives; a dead one’s groups are taken over and its nodes are gone', async () => {
    const assigner = await cluster.assigner('a1')
    const first = await cluster.collector('c1')
    await cluster.collector('c2')
    await cluster.sees(assigner, 2)
    await cluster.resolve(assigner, { groups, waitMs: 10_000 })
    expect((await ask(assigner, 'forget', 'c1')).outcome).toMatchObject({ outcome: 'refused' })
    await ask(assigner, 'cordon', 'c1')
    await first.stop()
    expect((await ask(assigner, 'forget', 'c1')).outcome).toMatchObject({ outcome: 'done' })
    expect(await cluster.session.exists(paths.collector('c1'))).toBeUndefined()
    expect(Object.keys((await cluster.list('c2')).owned).sort()).toEqual(groups.map(({ group }) => group))
    await expect(ask(assigner, 'serve', 'c1')).rejects.toThrow('there is no collector c1: the known ones are c2')
  })

  test('one id is one command: asked again it has the same outcome; put twice it is done once', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.sees(assigner, 1)
    const { outcome } = await ask(assigner, 'drain', 'c1', { id: 'same' })
    await ask(assigner, 'serve', 'c1')
    expect((await ask(assigner, 'drain', 'c1', { id: 'same' })).outcome).toEqual(outcome)
    const queue = fifoQueue(cluster.session, { path: paths.commands, itemsMax: commandsWaitingMax })
    const again = { id: 'same', verb: 'drain', target: 'c1', by: 'alice@desk', at: 1 }
    for (const data of [encodeZnode(again), Buffer.from('{"no":"command"}')]) await queue.put(data)
    await eventually('the queue is empty', async () => (await queue.size()) === 0)
    const { waiting, outcomes } = parseJson(
      commandsAnswerSchema,
      (await cluster.get(assigner, '/v1/commands')).body,
      '',
    )
    expect([waiting, outcomes.map(({ verb }) => verb)]).toEqual([[], ['serve', 'drain']])
    expect(assigner.tree().collectors[0]?.admin).toBe('serve')
  })

  test('an answer that is lost: the command is done once, and reported once', async () => {
    const network = losingAnswers()
    const assigner = await cluster.assigner('a1', { openSession: network.openSession })
    await cluster.collector('c1')
    await cluster.sees(assigner, 1)
    await ask(assigner, 'drain', 'c1')
    const asking = ask(assigner, 'cordon', 'c1')
    network.loseNext() // of the put, of the locking or of the completing
    expect((await asking).outcome).toMatchObject({ outcome: 'done' })
    await ask(assigner, 'serve', 'c1')
    const { stat } = await cluster.session.get(paths.admin('c1'))
    expect([network.lost, stat.version]).toEqual([1, 2])
    const { outcomes } = parseJson(commandsAnswerSchema, (await cluster.get(assigner, '/v1/commands')).body, '')
    expect(outcomes.map(({ verb }) => verb)).toEqual(['serve', 'cordon', 'drain'])
  })

  test('who was deposed without knowing it cannot execute: the command waits for the next term', async () => {
    const assigner = await cluster.assigner('a1')
    await cluster.collector('c1')
    await cluster.sees(assigner, 1)
    const leader = decodeZnode(leaderSchema, (await cluster.session.get(paths.leader)).data, 'the fence')
    await cluster.session.set(paths.leader, encodeZnode({ ...leader, id: 'a9', term: 7 }), 'any')
    const { outcome } = await ask(assigner, 'drain', 'c1')
    expect(outcome).toMatchObject({ outcome: 'done', term: 8 })
    expect((await cluster.session.get(paths.admin('c1'))).stat.version).toBe(0)
  })

  test('bad input is refused with what is wrong', async () => {
    const assigner = await cluster.assigner('a1')
    const post = (body: object): Promise<{ status: number; body: string }> =>
      cluster.post(assigner, '/v1/commands', { id: 'x', verb: 'drain', target: 'c1', by: 'me', ...body })
    const spaced = await post({ id: 'x y' })
    expect(spaced.status).toBe(400)
    expect(spaced.body).toContain('the id of a command is 1 to 100 of [A-Za-z0-9_-]')
    expect((await post({ verb: 'dance' })).status).toBe(400)
    expect((await post({})).body).toContain('there is no collector c1: no collector is known yet')
  })
})
