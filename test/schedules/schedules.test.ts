import { describe, expect, test } from '@jest/globals'
import { full } from '@catchment/testing'
import { playSchedule } from './world/schedule.ts'
import { stories } from './stories/stories.ts'

const seeds = full ? 1_000 : 10

describe('recipes under seeded faults', () => {
  test.each(stories.map((story) => [story.recipe, story] as const))(
    `%s keeps its guarantee over ${seeds} schedules`,
    async (_recipe, story) => {
      let felt = 0
      for (let seed = 1; seed <= seeds; seed += 1) felt += (await playSchedule(story, seed)).feltFaults.length
      expect(felt).toBeGreaterThanOrEqual(seeds)
    },
    300_000,
  )

  test('a seed repeats exactly', async () => {
    for (const story of stories) {
      const [once, again] = [await playSchedule(story, 7), await playSchedule(story, 7)]
      expect(again.trace).toEqual(once.trace)
    }
  })
})
