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
} from './session/contract/session.ts'
export type { Identity } from '@catchment/zookeeper-wire'
export { creatorAcl, digestAcl, openAcl, readOnlyAcl } from './session/contract/acls.ts'
export type {
  Acl,
  Created,
  CreateMode,
  Operation,
  OperationResult,
  OperationResults,
  Permission,
  ReadOperation,
  Stat,
  Version,
} from './session/contract/nodes.ts'
export { isCode, ZooKeeperError, type Outcome, type ZooKeeperErrorCode } from './session/contract/errors.ts'
export { untilAnswered } from './attempts/until-answered.ts'
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
export { fifoQueue, type FifoQueue } from './recipes/queue/fifo-queue.ts'
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
export { exclusiveLock, type ExclusiveLock, type ExclusiveLockOptions } from './recipes/lock/exclusive-lock.ts'
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
