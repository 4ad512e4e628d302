// Numbers of the ZooKeeper protocol: org.apache.zookeeper.{CreateMode, Watcher.Event.EventType, ZooDefs}.

import { ZooKeeperError } from './errors.ts'
import type { CreateMode, Version, WatchEvent } from './session.ts'

export const createFlags: Readonly<Record<CreateMode, number>> = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
}

export const eventTypes: ReadonlyMap<number, WatchEvent['type']> = new Map([
  [1, 'created'],
  [2, 'deleted'],
  [3, 'changed'],
  [4, 'children-changed'],
])

export const notificationXid = -1
export const pingXid = -2
/** Request numbers are 32 bits; they start anew before they run out (#101). */
export const xidMax = 2 ** 31 - 2
export const connectionLossCode = -4

export function versionNumber(version: Version): number {
  if (version === 'any') return -1
  if (Number.isInteger(version) && version >= 0 && version < 2 ** 31) return version
  throw new ZooKeeperError('bad-arguments', `a version is "any" or an integer from 0 below 2^31, not ${version}`)
}
