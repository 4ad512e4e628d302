export { openSession } from './live-session.ts'
export type {
  CallOptions,
  CreateMode,
  Operation,
  ReadOptions,
  SessionLog,
  SessionOptions,
  SessionState,
  Stat,
  Version,
  WatchEvent,
  ZooKeeperSession,
} from './session.ts'
export { isCode, ZooKeeperError, type Outcome, type ZooKeeperErrorCode } from './errors.ts'
export { followValue, type FollowedValue, type FollowValueOptions, type Value } from './follow-value.ts'
export { followChildren, type FollowedChildren, type FollowChildrenOptions } from './follow-children.ts'
export { followMembers, type FollowedMembers, type FollowMembersOptions, type Members } from './follow-members.ts'
export { joinMembership, type Membership, type MembershipOptions } from './membership.ts'
export { joinElection, type Election, type ElectionOptions } from './election.ts'
export { acquireFence, type Fence } from './fence.ts'
