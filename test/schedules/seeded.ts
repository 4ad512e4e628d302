// What the files of seeded schedules share: the stories are dealt out to them, so that two workers have the same to do.

import { full } from '@catchment/testing'
import { stories } from './stories/stories.ts'
import { playSchedule } from './world/schedule.ts'
import type { Story } from './stories/story.ts'

export const seeds = full ? 1_000 : 10
const files = 4

/** The stories of one of the files, numbered from 0, each after its recipe. */
export function dealt(file: number): (readonly [recipe: string, story: Story])[] {
  return stories.filter((_, index) => index % files === file).map((story) => [story.recipe, story] as const)
}

/** Plays all seeds of a story; how many faults its members felt. */
export async function play(story: Story): Promise<number> {
  let felt = 0
  for (let seed = 1; seed <= seeds; seed += 1) felt += (await playSchedule(story, seed)).feltFaults.length
  return felt
}
