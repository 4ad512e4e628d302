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
