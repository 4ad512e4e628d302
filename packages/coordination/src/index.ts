export { openSession } from './session/live-session.ts'
export type {
  CallOptions,
  ClientSocket,
  ConnectSocket,
  CreateOptions,
  Credentials,
  PersistentWatch,
  ReadOptions,
  ReadResult,
  ReadResults,
  SessionLog,
  SessionOptions,
  SessionState,
  WatchEvent,
  WatchListener,
  WatchOptions,
  ZooKeeperSession,
} from './session/session.ts'
export {
  creatorAcl,
  digestAcl,
  openAcl,
  readOnlyAcl,
  type Acl,
  type Created,
  type CreateMode,
  type Identity,
  type Operation,
  type OperationResult,
  type OperationResults,
  type Permission,
  type ReadOperation,
  type Stat,
  type Version,
} from './session/nodes.ts'
export { isCode, ZooKeeperError, type Outcome, type ZooKeeperErrorCode } from './session/errors.ts'
export { followValue, type FollowedValue, type FollowValueOptions, type Value } from './recipes/follow-value.ts'
export { followChildren, type FollowedChildren, type FollowChildrenOptions } from './recipes/follow-children.ts'
export {
  followMembers,
  type FollowedMembers,
  type FollowMembersOptions,
  type Members,
} from './recipes/follow-members.ts'
export { joinMembership, type Membership, type MembershipOptions } from './recipes/membership.ts'
export { joinElection, type Election, type ElectionOptions } from './recipes/election.ts'
export { observeLeader, type Leader, type ObservedLeader, type ObserveLeaderOptions } from './recipes/observe-leader.ts'
export { acquireFence, type Fence } from './recipes/fence.ts'
export {
  joinHotStandby,
  type Active,
  type HotStandby,
  type HotStandbyOptions,
  type HotStandbyState,
} from './recipes/hot-standby.ts'
export { barrier, type Barrier, type BarrierOptions } from './recipes/barrier.ts'
export { doubleBarrier, type DoubleBarrier, type DoubleBarrierOptions, type Round } from './recipes/double-barrier.ts'
export { divide, hashRing, type HashRing, type RingMember } from './recipes/hash-ring.ts'
export { fifoQueue, type FifoQueue } from './recipes/fifo-queue.ts'
export { priorityQueue, type PriorityQueue } from './recipes/priority-queue.ts'
export type { QueueOptions, WaitingItem } from './recipes/queue.ts'
export type { QueuedItem } from './recipes/queued-item.ts'
export { joinPeriodicTask, type PeriodicTask, type PeriodicTaskOptions, type Slot } from './recipes/periodic-task.ts'
export { every, type Schedule } from './recipes/time-slots.ts'
export type { Hold } from './recipes/hold.ts'
export type { Contender } from './recipes/contenders.ts'
export type { AcquireOptions } from './recipes/owners.ts'
export {
  sharedLock,
  type SharedLock,
  type SharedLockContender,
  type SharedLockOptions,
  type SharedLockSide,
} from './recipes/shared-lock.ts'
export { semaphore, type LeaseOptions, type Semaphore, type SemaphoreOptions } from './recipes/semaphore.ts'
export { resizeSemaphore } from './recipes/agreed-leases.ts'
export { exclusiveLock, type ExclusiveLock, type ExclusiveLockOptions } from './recipes/exclusive-lock.ts'
export { joinPartitioner, type Partitioner, type PartitionerOptions } from './recipes/partitioner.ts'
export type { OwnedItem } from './recipes/item-holdings.ts'
export { followTree, type FollowedTree, type FollowTreeOptions, type TreeUpdate } from './recipes/follow-tree.ts'
export type { Tree, TreeChanges, TreeNode } from './recipes/tree-copy.ts'
export {
  configuration,
  type Configuration,
  type ConfigurationOptions,
  type FollowConfigurationOptions,
  type FollowedConfiguration,
  type PublishOptions,
} from './recipes/configuration.ts'
export type { Published } from './recipes/configuration-versions.ts'
export {
  announceService,
  followService,
  listServices,
  resolveService,
  type AnnounceServiceOptions,
  type Announcement,
  type Endpoint,
  type FollowedService,
  type FollowServiceOptions,
} from './recipes/discovery.ts'
export { sequentialIds, type SequentialIds, type SequentialIdsOptions } from './recipes/naming.ts'
export { sharedCounter, type CounterValue, type SharedCounter } from './recipes/counter.ts'
export { joinColdStandby, type ColdStandby, type ColdStandbyOptions } from './recipes/cold-standby.ts'
export type { RunningTask, TaskEnd } from './recipes/claim.ts'
