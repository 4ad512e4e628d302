import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  absencesSchema,
  commandsAnswerSchema,
  configurationAnswerSchema,
  configurationHistorySchema,
  decodeZnode,
  emptyCollectorList,
  encodeZnode,
  entryPointsAnswerSchema,
  errorAnswerSchema,
  journalEntriesMax,
  journalNodeName,
  parseJson,
  type Command,
  type CommandOutcome,
} from '@catchment/protocol'
import { eventually } from '@catchment/testing'
import type { RunningAssigner } from '../../src/assigner.ts'
import {
  absent,
  forgettings,
  outcomeKeptMs,
  surplusJournal,
  youngOutcomes,
} from '../../src/operations/decide/housekeeping.ts'
import type { CollectorView } from '../../src/tree/decide/cluster-view.ts'
import { paths, TestCluster } from '../cluster.ts'
import { statusOf } from '../simulated-tree.ts'

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
})

afterEach(async () => {
  await cluster.close()
})

const put = async (
  assigner: RunningAssigner,
  path: string,
  body: unknown,
): Promise<{ status: number; body: string }> => {
  const headers = { 'content-type': 'application/json' }
  const request = { method: 'PUT', url: `${assigner.url}${path}`, headers, timeoutMs: 10_000 } as const
  const answer = await cluster.http.request({ ...request, body: JSON.stringify(body) })
  return { status: answer.status, body: answer.body.toString() }
}

describe('the configuration', () => {
  const path = '/v1/config/policy'
  const messageOf = ({ body }: { body: string }): string =>
    parseJson(errorAnswerSchema, body, 'a refusal').error.message

  test('set on one assigner it is followed by all, with versions, a comparison, a history and a way back', async () => {
    const [one, two] = [await cluster.assigner('a1'), await cluster.assigner('a2')]
    await eventually('a1 leads', () => one.term === 1)
    const set = await put(two, path, { value: { redistribution: 'global' }, by: 'alice', expect: 1 })
    expect(parseJson(configurationAnswerSchema, set.body, 'an answer').current).toMatchObject({
      version: 2,
      by: 'alice',
    })
    for (const each of [one, two])
      await eventually('the policy is followed', () => each.tree().redistribution === 'global')
    const late = await put(one, path, { value: { redistribution: 'local' }, by: 'bob', expect: 1 })
    expect([late.status, messageOf(late)]).toEqual([400, expect.stringContaining('version 2 is current, not 1')])
    const wrong = await put(one, path, { value: { redistribtion: 'local' }, by: 'bob' })
    expect([wrong.status, messageOf(wrong)]).toEqual([400, expect.stringContaining('redistribtion')])
    const back = await cluster.post(one, `${path}/rollback`, { version: 1, by: 'bob' })
    expect(parseJson(configurationAnswerSchema, back.body, 'an answer').current).toMatchObject({
      ...{ version: 3, by: 'bob', value: { redistribution: 'local' } },
    })
    const history = parseJson(
      configurationHistorySchema,
      (await cluster.get(one, `${path}/history`)).body,
      'the history',
    )
    expect(history.versions.map(({ version, by }) => [version, by])).toEqual([
      [3, 'bob'],
      [2, 'alice'],
      [1, 'a1'],
    ])
    expect(messageOf(await cluster.post(one, `${path}/rollback`, { version: 9, by: 'bob' }))).toContain(
      'kept are 3, 2, 1',
    )
    expect(messageOf(await cluster.get(one, '/v1/config/polcy'))).toBe(
      'there is no configuration polcy: there is policy',
    )
  })

  test('the tree of an older version is read; what cannot be used is a problem that stops nothing', async () => {
    await cluster.session.ensurePath(paths.config)
    await cluster.session.create(paths.configOf('policy'), Buffer.from('{"redistribution":"global"}'))
    const assigner = await cluster.assigner('a1')
    await eventually('a1 leads', () => assigner.term === 1)
    await eventually('the policy is followed', () => assigner.tree().redistribution === 'global')
    await cluster.session.set(paths.configOf('policy'), Buffer.from('{"redistribution":"sideways"}'), 'any')
    await eventually('the problem is reported', () =>
      assigner.tree().problems?.[0]?.what.includes('version 1 of the policy'),
    )
    expect(assigner.tree().redistribution).toBe('global')
    await cluster.collector('c1')
    const answer = await cluster.resolve(assigner, { groups: [{ group: 'g0' }], waitMs: 10_000 })
    expect(answer.assigned).toHaveLength(1)
    const { current } = parseJson(configurationAnswerSchema, (await cluster.get(assigner, path)).body, 'an answer')
    expect(current).toMatchObject({ version: 1, by: '' })
    expect(current?.problem).toContain('redistribution')
    await cluster.session.set(paths.configOf('policy'), Buffer.from('{'), 'any')
    await eventually('it is no JSON', async () => {
      const broken = parseJson(configurationAnswerSchema, (await cluster.get(assigner, path)).body, 'an answer').current
      return broken?.version === 2 && broken.problem !== undefined && broken.value === undefined
    })
    await put(assigner, path, { value: { redistribution: 'local' }, by: 'alice' })
    await eventually('the problem is over', () => assigner.tree().problems === undefined)
    const shown = await cluster.session.get(paths.configOf('policy'))
    expect(shown.data.toString()).toBe('{"redistribution":"local"}')
  })
})

test('entry points: every assigner reports where all of them answer', async () => {
  const [one, two] = [await cluster.assigner('a1'), await cluster.assigner('a2')]
  const heard = async (assigner: RunningAssigner): Promise<unknown> =>
    parseJson(entryPointsAnswerSchema, (await cluster.get(assigner, '/v1/entry-points')).body, 'an answer')
  const both = {
    stale: false,
    entryPoints: [
      { id: 'a1', url: one.url },
      { id: 'a2', url: two.url },
    ],
  }
  for (const each of [one, two])
    await eventually('both are known', async () => JSON.stringify(await heard(each)) === JSON.stringify(both))
  await one.close()
  const rest = { stale: false, entryPoints: [{ id: 'a2', url: two.url }] }
  await eventually('one is left', async () => JSON.stringify(await heard(two)) === JSON.stringify(rest))
})

describe('housekeeping', () => {
  test('a collector that is gone for long and owns nothing is forgotten, by a command; surplus decisions go', async () => {
    await cluster.session.ensurePath(paths.journal)
    for (let epoch = 1; epoch <= journalEntriesMax + 3; epoch += 1)
      await cluster.session.create(`${paths.journal}/${journalNodeName(epoch)}`, Buffer.from('{}'))
    const options = { housekeepingIntervalMs: 200, forgetAfterMs: 1_000 }
    const [one] = [await cluster.assigner('a1', options), await cluster.assigner('a2', options)]
    const dead = await cluster.collector('dead')
    await cluster.collector('alive')
    await cluster.sees(one, 2)
    await dead.stop()
    await eventually('it is gone', async () => (await cluster.session.exists(paths.collector('dead'))) === undefined)
    const { waiting, outcomes } = parseJson(commandsAnswerSchema, (await cluster.get(one, '/v1/commands')).body, '')
    expect(waiting).toEqual([])
    expect(outcomes.map(({ verb, target, by, outcome }) => [verb, target, by, outcome])).toEqual([
      ['forget', 'dead', 'housekeeping', 'done'],
    ])
    await eventually('no absence is left', async () => {
      const { data } = await cluster.session.get(paths.absences)
      return Object.keys(decodeZnode(absencesSchema, data, 'absences')).length === 0
    })
    expect((await cluster.session.children(paths.journal)).names).toHaveLength(journalEntriesMax)
    expect(await cluster.session.exists(paths.collector('alive'))).toBeDefined()
  })

  const given = { now: 1_000_000, forgetAfterMs: 1_000 }
  const gone = { status: undefined, list: emptyCollectorList }

  test('absent: since the first sweep that saw it; never one that has a status or owns a group', () => {
    const owner = { status: undefined, list: { ...emptyCollectorList, lent: { g: { to: 'c9', since: 1, at: 1 } } } }
    const collectors = new Map<string, Pick<CollectorView, 'status' | 'list'>>([
      ['new', gone],
      ['old', gone],
      ['owner', owner],
      ['back', { status: statusOf('back'), list: emptyCollectorList }],
    ])
    const known = { old: 999_000, owner: 1, back: 1, unknown: 1 }
    expect(absent(collectors, known, given)).toEqual({
      absences: { new: 1_000_000, old: 999_000, owner: 1 },
      forgotten: ['old'],
    })
    // a clock that was ahead once must not keep it for ever
    expect(absent(new Map([['c1', gone]]), { c1: 9e12 }, given).absences).toEqual({ c1: 1_000_000 })
  })

  test('forgettings: one for each, none where one waits', () => {
    const waits: Command = { id: 'x', verb: 'forget', target: 'c1', by: 'alice', at: 1 }
    const drain: Command = { ...waits, verb: 'drain', target: 'c.2' }
    const commands = forgettings(['c1', 'c.2'], [waits, drain], { slotMs: 5, now: 7 })
    expect(commands).toEqual([{ id: 'sweep-5-c_2', verb: 'forget', target: 'c.2', by: 'housekeeping', at: 7 }])
    expect(encodeZnode(commands[0]).length).toBeLessThan(300)
  })

  test('youngOutcomes and surplusJournal leave what is young, and what is within the bound', () => {
    const outcome: CommandOutcome = {
      ...{ id: 'x', verb: 'drain', target: 'c1', by: 'me', at: 0, outcome: 'done' },
      ...{ text: '', leader: 'a1', term: 1, epoch: 1, doneAt: 0 },
    }
    const outcomes = [0, 1].map((doneAt) => ({ ...outcome, doneAt }))
    expect(youngOutcomes(outcomes, outcomeKeptMs).map(({ doneAt }) => doneAt)).toEqual([1])
    const names = Array.from({ length: journalEntriesMax + 2 }, (_, index) => journalNodeName(index))
    expect(surplusJournal(names.toReversed())).toEqual([journalNodeName(0), journalNodeName(1)])
  })
})
