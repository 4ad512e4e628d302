import { describe, expect, test } from '@jest/globals'
import { full } from '@catchment/testing'
import { playSchedule } from './schedule.ts'
import { stories } from './stories.ts'

const seeds = full ? 1_000 : 25

describe('recipes under seeded faults', () => {
  test.each(stories.map((story) => [story.recipe, story] as const))(
    `%s keeps its guarantee over ${seeds} schedules`,
    async (_recipe, story) => {
      let felt = 0
      for (let seed = 1; seed <= seeds; seed += 1) felt += (await playSchedule(story, seed)).length
      expect(felt).toBeGreaterThanOrEqual(seeds)
    },
    300_000,
  )
})
