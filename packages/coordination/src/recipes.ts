// Recipes that the programs of Catchment do not use: what stands in a line or is claimed, as in the main entry.

export { joinColdStandby, type ColdStandby, type ColdStandbyOptions } from './recipes/standby/cold-standby.ts'
export type { RunningTask, TaskEnd } from './recipes/standby/task-claim.ts'
export {
  joinHotStandby,
  type Active,
  type HotStandby,
  type HotStandbyOptions,
  type HotStandbyState,
} from './recipes/standby/hot-standby.ts'
export { barrier, type Barrier, type BarrierOptions } from './recipes/barrier/barrier.ts'
export {
  doubleBarrier,
  type DoubleBarrier,
  type DoubleBarrierOptions,
  type Round,
} from './recipes/barrier/double-barrier.ts'
export { divide, hashRing, type HashRing, type RingMember } from './recipes/partitioner/hash-ring.ts'
export { priorityQueue, type PriorityQueue } from './recipes/queue/priority-queue.ts'
export {
  sharedLock,
  type SharedLock,
  type SharedLockContender,
  type SharedLockOptions,
  type SharedLockSide,
} from './recipes/lock/shared-lock.ts'
export { semaphore, type LeaseOptions, type Semaphore, type SemaphoreOptions } from './recipes/lock/semaphore.ts'
export { resizeSemaphore } from './recipes/lock/agreed-leases.ts'
export { joinPartitioner, type Partitioner, type PartitionerOptions } from './recipes/partitioner/partitioner.ts'
export type { OwnedItem } from './recipes/partitioner/item-holdings.ts'
export { sequentialIds, type SequentialIds, type SequentialIdsOptions } from './recipes/numbers/naming.ts'
export {
  sharedCounter,
  type CounterValue,
  type SharedCounter,
  type SharedCounterOptions,
} from './recipes/numbers/counter.ts'
