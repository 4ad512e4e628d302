import { startRealRedis, tempDirectory, type RealRedis, type TempDirectory } from '@catchment/testing'
import { afterAll, beforeAll } from '@jest/globals'
import { onRealRedis } from './suite/on-real-redis.ts'
import { opened } from './suite/opening.ts'
import { describeQueues } from './suite/queues-suite.ts'

onRealRedis('on the real Redis', () => {
  let directory: TempDirectory
  let redis: RealRedis
  let tests = 0
  beforeAll(async () => {
    directory = await tempDirectory()
    redis = await startRealRedis({ directory: directory.path })
  })
  afterAll(async () => {
    await redis.stop()
    await directory.remove()
  })
  // a prefix of its own gives each test queues of its own
  describeQueues('queues', (given) => opened({ ...given, redis: { url: redis.url, prefix: `test-${(tests += 1)}` } }))
})
