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
export { creatorAcl, digestAcl, openAcl, readOnlyAcl } from './session/acls.ts'
export type {
  Acl,
  Created,
  CreateMode,
  Identity,
  Operation,
  OperationResult,
  OperationResults,
  Permission,
  ReadOperation,
  Stat,
  Version,
} from './session/nodes.ts'
export { isCode, ZooKeeperError, type Outcome, type ZooKeeperErrorCode } from './session/errors.ts'
export { followValue, type FollowedValue, type FollowValueOptions, type Value } from './following/follow-value.ts'
export { followChildren, type FollowedChildren, type FollowChildrenOptions } from './following/follow-children.ts'
export {
  followMembers,
  type FollowedMembers,
  type FollowMembersOptions,
  type Members,
} from './following/follow-members.ts'
export { joinMembership, type Membership, type MembershipOptions } from './recipes/members/membership.ts'
export { joinElection, type Election, type ElectionOptions } from './recipes/election/election.ts'
export {
  observeLeader,
  type Leader,
  type ObservedLeader,
  type ObserveLeaderOptions,
} from './recipes/election/observe-leader.ts'
export { acquireFence, type Fence } from './recipes/election/fence.ts'
export { joinColdStandby, type ColdStandby, type ColdStandbyOptions } from './recipes/standby/cold-standby.ts'
export type { RunningTask, TaskEnd } from './recipes/standby/claim.ts'
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
export { fifoQueue, type FifoQueue } from './recipes/queue/fifo-queue.ts'
export { priorityQueue, type PriorityQueue } from './recipes/queue/priority-queue.ts'
export type { ItemsOptions, QueueOptions, WaitingItem } from './recipes/queue/queue.ts'
export type { QueuedItem } from './recipes/queue/queued-item.ts'
export {
  joinPeriodicTask,
  type PeriodicTask,
  type PeriodicTaskOptions,
  type Slot,
} from './recipes/periodic-task/periodic-task.ts'
export { every, type Schedule } from './recipes/periodic-task/time-slots.ts'
export type { Hold } from './line/hold.ts'
export type { Contender } from './line/contenders.ts'
export type { AcquireOptions } from './line/owners.ts'
export {
  sharedLock,
  type SharedLock,
  type SharedLockContender,
  type SharedLockOptions,
  type SharedLockSide,
} from './recipes/lock/shared-lock.ts'
export { semaphore, type LeaseOptions, type Semaphore, type SemaphoreOptions } from './recipes/lock/semaphore.ts'
export { resizeSemaphore } from './recipes/lock/agreed-leases.ts'
export { exclusiveLock, type ExclusiveLock, type ExclusiveLockOptions } from './recipes/lock/exclusive-lock.ts'
export { joinPartitioner, type Partitioner, type PartitionerOptions } from './recipes/partitioner/partitioner.ts'
export type { OwnedItem } from './recipes/partitioner/item-holdings.ts'
export { followTree, type FollowedTree, type FollowTreeOptions, type TreeUpdate } from './following/follow-tree.ts'
export type { Tree, TreeChanges, TreeNode } from './following/tree-copy.ts'
export {
  configuration,
  type Configuration,
  type ConfigurationOptions,
  type FollowConfigurationOptions,
  type FollowedConfiguration,
  type PublishOptions,
} from './recipes/configuration/configuration.ts'
export type { Published } from './recipes/configuration/configuration-versions.ts'
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
} from './recipes/members/discovery.ts'
export { sequentialIds, type SequentialIds, type SequentialIdsOptions } from './recipes/numbers/naming.ts'
export {
  sharedCounter,
  type CounterValue,
  type SharedCounter,
  type SharedCounterOptions,
} from './recipes/numbers/counter.ts'
