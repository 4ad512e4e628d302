import { barrierStory } from './barrier.ts'
import { closedLockStory } from './closed-lock.ts'
import { configurationStory } from './configuration.ts'
import { counterStory } from './counter.ts'
import { discoveryStory } from './discovery.ts'
import { coldStandbyStory } from './cold-standby.ts'
import { doubleBarrierStory } from './double-barrier.ts'
import { election } from './election.ts'
import { exclusiveLockStory, fencedLockStory } from './exclusive-lock.ts'
import { hotStandbyStory } from './hot-standby.ts'
import { priorityQueueStory, queueStory } from './queue.ts'
import { resizedSemaphoreStory, semaphoreStory } from './semaphore.ts'
import { sharedLockStory } from './shared-lock.ts'
import { followers } from './followers.ts'
import { partitioner } from './partitioner.ts'
import { periodicTask, periodicTaskResized } from './periodic-task.ts'
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
