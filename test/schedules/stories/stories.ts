import { barrierStory } from './exclusion/barrier.ts'
import { closedLockStory } from './exclusion/closed-lock.ts'
import { configurationStory } from './values/configuration.ts'
import { counterStory } from './values/counter.ts'
import { discoveryStory } from './values/discovery.ts'
import { coldStandbyStory } from './leading/cold-standby.ts'
import { doubleBarrierStory } from './exclusion/double-barrier.ts'
import { election } from './leading/election.ts'
import { exclusiveLockStory, fencedLockStory } from './exclusion/exclusive-lock.ts'
import { hotStandbyStory } from './leading/hot-standby.ts'
import { priorityQueueStory, queueStory } from './work/queue.ts'
import { resizedSemaphoreStory, semaphoreStory } from './exclusion/semaphore.ts'
import { sharedLockStory } from './exclusion/shared-lock.ts'
import { followers } from './values/followers.ts'
import { partitioner } from './work/partitioner.ts'
import { periodicTask, periodicTaskResized } from './work/periodic-task.ts'
import type { Story } from './story.ts'

/** Every recipe that has a guarantee to break. */
export const stories: readonly Story[] = [
  barrierStory,
  doubleBarrierStory,
  election,
  hotStandbyStory,
  coldStandbyStory,
  exclusiveLockStory,
  fencedLockStory,
  closedLockStory,
  sharedLockStory,
  semaphoreStory,
  resizedSemaphoreStory,
  queueStory,
  priorityQueueStory,
  counterStory,
  configurationStory,
  discoveryStory,
  periodicTask,
  periodicTaskResized,
  partitioner,
  followers,
]
