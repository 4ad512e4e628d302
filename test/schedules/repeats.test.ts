import { describe, expect, test } from '@jest/globals'
import { stories } from './stories/stories.ts'
import { playSchedule } from './world/schedule.ts'

describe('recipes under seeded faults', () => {
  test('a seed repeats exactly', async () => {
    for (const story of stories) {
      const [once, again] = [await playSchedule(story, 7), await playSchedule(story, 7)]
      expect(again.trace).toEqual(once.trace)
    }
  }, 300_000)
})
