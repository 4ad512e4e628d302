// What operators do, on real programs: commands while the leaders are killed, configuration, and an agent all of whose
// assigners are replaced.

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { openSession } from '@catchment/coordination'
import {
  commandAnswerSchema,
  commandsAnswerSchema,
  configurationHistorySchema,
  parseJson,
  treeAnswerSchema,
  treePaths,
  type CommandsAnswer,
  type CommandVerb,
} from '@catchment/protocol'
import { realClock, realRandom } from '@catchment/runtime'
import { seededRandom, startProcess, tempDirectory } from '@catchment/testing'
import { Cluster, type Member } from './cluster.ts'
import { matchGenerations, readMirrors } from './oracle.ts'
import { mainOf, nodeFlags } from './program.ts'
import { pause, until } from './until.ts'
import { Writer } from './writer.ts'

const seed = 20_26
const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

async function begin(options: { collectors: number; writers: readonly string[] }): Promise<{
  cluster: Cluster
  writers: readonly Writer[]
  logs: string
}> {
  const directory = await tempDirectory()
  undo.push(() => directory.remove())
  const logs = join(directory.path, 'written')
  mkdirSync(logs)
  const cluster = new Cluster({
    directory: directory.path,
    assigners: 2,
    collectors: options.collectors,
    agentArgs: [
      '--group',
      '{file}',
      '--follow',
      join(logs, '*.log'),
      '--assigners-refresh-ms',
      '200',
      '--rescan-ms',
      '200',
    ],
    sessionTimeoutMs: 2000,
  })
  undo.push(() => cluster.stop())
  await cluster.start()
  return { cluster, writers: options.writers.map((name) => new Writer(logs, name)), logs }
}

/** The command line, run to its end; what it printed. Throws when it failed. */
async function catchment(cluster: Cluster, words: readonly string[]): Promise<string> {
  const args = [...nodeFlags, mainOf('catchment'), ...words, '--assigner', cluster.assignerUrls().join(',')]
  await using child = startProcess(process.execPath, args)
  const { code } = await child.ended
  if (code !== 0) throw new Error(`catchment ${words.join(' ')} ended with ${String(code)}: ${child.output.stderr}`)
  return child.output.stdout
}

async function leaderOf(cluster: Cluster): Promise<{ leader: Member; standby: string }> {
  return until('a leader, and another that answers', 20_000, async () => {
    const { leader } = await cluster.tree()
    const member = cluster.assigners.find(({ id, alive }) => id === leader?.id && alive)
    const others = cluster.assigners.filter((other) => other !== member && other.alive)
    const standby = others[0]?.program?.ready.url
    return member === undefined || standby === undefined ? undefined : { leader: member, standby }
  })
}

/** Commands one after the other, not waiting for what becomes of them. */
async function askFor(url: string, name: string, verbs: readonly CommandVerb[]): Promise<void> {
  for (const verb of verbs) {
    const id = `${name}-${verb}`
    const body = JSON.stringify({ id, verb, target: 'c1', by: 'the test' })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/commands`, { method: 'POST', headers, body })
    expect(parseJson(commandAnswerSchema, await answer.text(), 'an answer').command.id).toBe(id)
  }
}

async function commandsOf(cluster: Cluster): Promise<CommandsAnswer> {
  return parseJson(commandsAnswerSchema, await catchment(cluster, ['commands', '--json']), 'the commands')
}

describe('commands of operators', () => {
  test('each is executed once, in order, though leaders are killed between taking it and doing it', async () => {
    const { cluster } = await begin({ collectors: 2, writers: [] })
    const verbs: CommandVerb[] = []
    const random = seededRandom(seed)
    for (let round = 0; round < 5; round += 1) {
      const { leader, standby } = await leaderOf(cluster)
      // Some by the standby while the leader dies, some by the command line, which outlives it.
      const asking = askFor(standby, `round-${round}`, ['drain', 'serve', 'cordon'])
      await pause(random.float() * 60)
      await leader.kill()
      await asking
      verbs.push('drain', 'serve', 'cordon')
      expect(await catchment(cluster, ['serve', 'c1'])).toContain('serve c1: it takes groups as others do')
      verbs.push('serve')
      await leader.start()
    }
    const { waiting, outcomes } = await until('all to be executed', 30_000, async () => {
      const commands = await commandsOf(cluster)
      return commands.waitingCount === 0 ? commands : undefined
    })
    expect(waiting).toEqual([])
    expect(outcomes.toReversed().map(({ verb, outcome }) => [verb, outcome])).toEqual(
      verbs.map((verb) => [verb, 'done']),
    )
    const session = await openSession({
      ...{ servers: cluster.zookeeper, sessionTimeoutMs: 2000, clock: realClock, random: realRandom },
    })
    undo.push(() => session.close())
    const { stat } = await session.get(treePaths('/logs').admin('c1'))
    expect(stat.version).toBe(verbs.length - 1) // one write for each, none twice
    expect(new Set(outcomes.map(({ term }) => term)).size).toBeGreaterThan(1)
  }, 120_000)

  test('the command line says what was wrong, forgets a dead collector, and shows what became of it', async () => {
    const { cluster } = await begin({ collectors: 2, writers: [] })
    await expect(catchment(cluster, ['drain', 'c9'])).rejects.toThrow('no collector c9: the known ones are c1, c2')
    await expect(catchment(cluster, ['forget', 'c2'])).rejects.toThrow('c2 is not gone')
    expect(await catchment(cluster, ['cordon', 'c2', '--no-wait'])).toMatch(/^cordon c2 waits for the leader \(command/)
    await cluster.collectors[1]?.stop()
    expect(await catchment(cluster, ['forget', 'c2'])).toContain('forget c2: c2 is forgotten')
    expect((await cluster.tree()).collectors.map(({ id }) => id)).toEqual(['c1'])
    const shown = await catchment(cluster, ['commands'])
    expect(shown).toMatch(/^No command waits\.\n/)
    expect(shown.match(/(forget|cordon) c2 .*(done|refused) /g)).toHaveLength(3)
  }, 60_000)
})

test('a configuration that is set is followed by all assigners at once; rolled back it is as before', async () => {
  const { cluster } = await begin({ collectors: 1, writers: [] })
  await leaderOf(cluster)
  const followed = async (redistribution: string): Promise<void> => {
    await until(`all to follow ${redistribution}`, 10_000, async () => {
      const trees = await Promise.all(
        cluster
          .assignerUrls()
          .map(async (url) => parseJson(treeAnswerSchema, await (await fetch(`${url}/v1/tree`)).text(), url)),
      )
      return trees.every((tree) => tree.redistribution === redistribution) || undefined
    })
  }
  expect(await catchment(cluster, ['config', 'set', 'policy', '{"redistribution":"global"}', '--expect', '1'])).toMatch(
    /version 2/,
  )
  await followed('global')
  await expect(catchment(cluster, ['config', 'set', 'policy', '{}', '--expect', '1'])).rejects.toThrow(
    'version 2 is current, not 1',
  )
  await expect(catchment(cluster, ['config', 'set', 'policy', '{"redistribution":"up"}'])).rejects.toThrow(
    'that cannot be the policy: redistribution',
  )
  await catchment(cluster, ['config', 'rollback', 'policy', '1'])
  await followed('local')
  const history = await catchment(cluster, ['config', 'history', 'policy', '--json'])
  expect(parseJson(configurationHistorySchema, history, 'the history').versions.map(({ version }) => version)).toEqual([
    ...[3, 2, 1],
  ])
  expect(await catchment(cluster, ['config', 'get', 'policy'])).toContain('"redistribution": "local"')
}, 60_000)

test('an agent goes on when all assigners of its settings are replaced, and after a start too', async () => {
  const { cluster, writers, logs } = await begin({ collectors: 1, writers: ['web'] })
  await cluster.agent.start()
  const isMirrored = (): Promise<unknown> =>
    until('every mirror to equal its file', 30_000, () => {
      const { mirrors } = readMirrors(cluster.mirror)
      return matchGenerations(
        all.flatMap((writer) => writer.generations()),
        mirrors,
      )
    })
  const all = [...writers]
  const add = (name: string): void => {
    const writer = new Writer(logs, name)
    writer.append(100)
    all.push(writer)
  }
  all[0]?.append(100)
  await isMirrored()
  const former = [...cluster.assigners]
  for (const id of ['a3', 'a4']) await cluster.anAssigner(id).start()
  const fresh = cluster.assigners.slice(former.length).map(({ program }) => program?.ready.url ?? '')
  await until('the agent to know the new ones', 20_000, () => {
    const learned = readFileSync(join(cluster.data('agent-1'), 'assigners.json'), 'utf8')
    return fresh.every((url) => learned.includes(url)) || undefined
  })
  for (const assigner of former) await assigner.kill()
  add('db') // a group that nobody serves yet: only an assigner helps
  await isMirrored()
  await cluster.agent.kill()
  await cluster.agent.start()
  add('mail')
  await isMirrored()
}, 90_000)
