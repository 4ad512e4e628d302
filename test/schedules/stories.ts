import { barrierStory } from './barrier.ts'
import { doubleBarrierStory } from './double-barrier.ts'
import { election } from './election.ts'
import type { Story } from './story.ts'

/** Every recipe that has a guarantee to break. */
export const stories: readonly Story[] = [barrierStory, doubleBarrierStory, election]
