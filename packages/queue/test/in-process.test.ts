import { describe, test } from '@jest/globals'
import { queuesBench } from './suite/bench.ts'
import { stories } from './suite/stories.ts'

describe('queues in process', () => {
  const open = queuesBench()
  test.each(stories)('$name', ({ play }) => play(open))
})
