// Commands of operators, on real programs, while the leaders are killed.

import { describe, expect, test } from '@jest/globals'
import { openSession } from '@catchment/coordination'
import {
  commandAnswerSchema,
  commandsAnswerSchema,
  parseJson,
  treePaths,
  type CommandsAnswer,
  type CommandVerb,
} from '@catchment/protocol'
import { realClock, realRandom } from '@catchment/runtime'
import { patienceMs, seededRandom } from '@catchment/testing'
import type { Cluster } from '../programs/cluster.ts'
import { pause, storyMs, until } from '../programs/until.ts'
import { catchment, leaderOf, startCluster } from './operator.ts'

const seed = 20_26

/**
 * Commands one after the other, not waiting for what becomes of them. An assigner whose session is suspended refuses; asked
 * again under the same id, it is the same command.
 */
async function askFor(url: string, name: string, verbs: readonly CommandVerb[]): Promise<void> {
  for (const verb of verbs) {
    const id = `${name}-${verb}`
    const body = JSON.stringify({ id, verb, target: 'c1', by: 'the test' })
    const headers = { 'content-type': 'application/json' }
    const answer = await until(`${id} to be accepted`, patienceMs, async () => {
      const response = await fetch(`${url}/v1/commands`, { method: 'POST', headers, body })
      const text = await response.text()
      if (!response.ok) throw new Error(`${response.status}: ${text}`)
      return text
    })
    expect(parseJson(commandAnswerSchema, answer, 'an answer').command.id).toBe(id)
  }
}

async function commandsOf(cluster: Cluster): Promise<CommandsAnswer> {
  return parseJson(commandsAnswerSchema, await catchment(cluster, ['commands', '--json']), 'the commands')
}

describe('commands of operators', () => {
  test(
    'each is executed once, in order, though leaders are killed between taking it and doing it',
    async () => {
      await using stack = new AsyncDisposableStack()
      const { cluster } = await startCluster(stack, 2)
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
      const { waiting, outcomes } = await until('all to be executed', patienceMs, async () => {
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
      stack.defer(() => session.close())
      const { stat } = await session.get(treePaths('/logs').admin('c1'))
      expect(stat.version).toBe(verbs.length - 1) // one write for each, none twice
      expect(new Set(outcomes.map(({ term }) => term)).size).toBeGreaterThan(1)
    },
    storyMs,
  )
})
