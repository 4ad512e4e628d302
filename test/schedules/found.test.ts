import { expect, test } from '@jest/globals'
import { playSchedule } from './world/schedule.ts'
import { stories } from './stories/stories.ts'

/** Seeds that found bugs of the library, and what they were. A change to a story or to the faults makes them other schedules. */
const found: readonly (readonly [recipe: string, seed: number, was: string])[] = [
  ['queue', 93, 'an item whose taker lost its connection while it looked was passed over for the rest of the listing'],
  ['priority queue', 107, 'an item was passed over by the take that followed one whose deadline had passed'],
]

test.each(found)(
  '%s, seed %i: %s',
  async (recipe, seed) => {
    const story = stories.find((one) => one.recipe === recipe)
    expect(story).toBeDefined()
    if (story !== undefined) await playSchedule(story, seed)
  },
  300_000,
) // computes, on a busy machine for long
