import { describe, test } from '@jest/globals'
import { killsTimeoutMs, surviveKills } from './story.ts'

describe('the cluster on the embedded ZooKeeper', () => {
  test(
    'loses, doubles and reorders nothing while members are killed every two seconds',
    () => surviveKills('embedded'),
    killsTimeoutMs,
  )
})
