import { startRealRedis, tempDirectory, type RealRedis, type TempDirectory } from '@catchment/testing'
import { afterAll, beforeAll, test } from '@jest/globals'
import { onRealRedis, queuesBench } from '../suite/bench.ts'
import { stories } from '../suite/stories.ts'

onRealRedis('queues in the real Redis', () => {
  let directory: TempDirectory
  let redis: RealRedis
  let opens = 0
  beforeAll(async () => {
    directory = await tempDirectory()
    redis = await startRealRedis({ directory: directory.path })
  })
  afterAll(async () => {
    await redis.stop()
    await directory.remove()
  })
  const open = queuesBench()
  test.each(stories)('$name', ({ play }) =>
    // a prefix of its own gives each test queues of its own
    play((given) => open({ ...given, redis: { url: redis.url, prefix: `test-${(opens += 1)}` } })),
  )
})
