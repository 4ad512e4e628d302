import {
  expectsRealRedis,
  missingRealRedis,
  startRealRedis,
  tempDirectory,
  type RealRedis,
  type TempDirectory,
} from '@catchment/testing'
import { afterAll, beforeAll, describe, test } from '@jest/globals'
import { opened } from './suite/opening.ts'
import { describeQueues } from './suite/queues-suite.ts'

if (expectsRealRedis()) {
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
  describeQueues('queues in the real Redis', (given) =>
    opened({ ...given, redis: { url: redis.url, prefix: `test-${(tests += 1)}` } }),
  )
} else
  describe('queues in the real Redis', () => {
    test.skip(`all: ${missingRealRedis() ?? ''}`, () => undefined)
  })
