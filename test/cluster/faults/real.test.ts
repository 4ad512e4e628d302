import { describe, test } from '@jest/globals'
import { expectsRealZooKeeper } from '@catchment/testing'
import { killsTimeoutMs, surviveKills } from './story.ts'

const whereInstalled = expectsRealZooKeeper() ? describe : describe.skip

whereInstalled('the cluster on the real ZooKeeper', () => {
  test(
    'loses, doubles and reorders nothing while members are killed every two seconds',
    () => surviveKills('real'),
    killsTimeoutMs,
  )
})
