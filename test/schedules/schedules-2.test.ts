import { describe, expect, test } from '@jest/globals'
import { dealt, play, seeds } from './seeded.ts'

describe('recipes under seeded faults', () => {
  test.each(dealt(1))(
    `%s keeps its guarantee over ${seeds} schedules`,
    async (_recipe, story) => {
      expect(await play(story)).toBeGreaterThanOrEqual(seeds)
    },
    300_000,
  )
})
