import { describe, expect, test } from '@jest/globals'
import { storyMs } from '../programs/until.ts'
import { catchment, startCluster } from './operator.ts'

describe('commands of operators', () => {
  test(
    'the command line says what was wrong, forgets a dead collector, and shows what became of it',
    async () => {
      await using stack = new AsyncDisposableStack()
      const { cluster } = await startCluster(stack, 2)
      await expect(catchment(cluster, ['drain', 'c9'])).rejects.toThrow('no collector c9: the known ones are c1, c2')
      await expect(catchment(cluster, ['forget', 'c2'])).rejects.toThrow('c2 is not gone')
      expect(await catchment(cluster, ['cordon', 'c2', '--no-wait'])).toMatch(
        /^cordon c2 waits for the leader \(command/,
      )
      await cluster.collectors[1]?.stop()
      expect(await catchment(cluster, ['forget', 'c2'])).toContain('forget c2: c2 is forgotten')
      expect((await cluster.tree()).collectors.map(({ id }) => id)).toEqual(['c1'])
      const shown = await catchment(cluster, ['commands'])
      expect(shown).toMatch(/^No command waits\.\n/)
      expect(shown.match(/(forget|cordon) c2 .*(done|refused) /g)).toHaveLength(3)
    },
    storyMs,
  )
})
