import { expect, test } from '@jest/globals'
import { configurationHistorySchema, parseJson, treeAnswerSchema } from '@catchment/protocol'
import { patienceMs } from '@catchment/testing'
import { storyMs, until } from '../programs/until.ts'
import { catchment, leaderOf, startCluster } from './operator.ts'

test(
  'a configuration that is set is followed by all assigners at once; rolled back it is as before',
  async () => {
    await using stack = new AsyncDisposableStack()
    const { cluster } = await startCluster(stack, 1)
    await leaderOf(cluster)
    const followed = async (redistribution: string): Promise<void> => {
      await until(`all to follow ${redistribution}`, patienceMs, async () => {
        const trees = await Promise.all(
          cluster
            .assignerUrls()
            .map(async (url) => parseJson(treeAnswerSchema, await (await fetch(`${url}/v1/tree`)).text(), url)),
        )
        return trees.every((tree) => tree.redistribution === redistribution) || undefined
      })
    }
    expect(
      await catchment(cluster, ['config', 'set', 'policy', '{"redistribution":"global"}', '--expect', '1']),
    ).toMatch(/version 2/)
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
    expect(
      parseJson(configurationHistorySchema, history, 'the history').versions.map(({ version }) => version),
    ).toEqual([...[3, 2, 1]])
    expect(await catchment(cluster, ['config', 'get', 'policy'])).toContain('"redistribution": "local"')
  },
  storyMs,
)
