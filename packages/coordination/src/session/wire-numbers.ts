// Numbers of the ZooKeeper protocol: org.apache.zookeeper.{ZooDefs, CreateMode, Watcher, AddWatchMode}.

import { assertGiven, is } from './given.ts'
import type { CreateMode, Permission, Version } from './nodes.ts'
import type { WatchEvent } from './session.ts'

export const opcode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  removeWatches: 18,
  createContainer: 19,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  closeSession: -11,
  /** Not asked for: the type of a result in an answer to multi. */
  error: -1,
} as const

export const createFlags: Readonly<Record<CreateMode, number>> = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
  container: 4,
  'persistent-with-ttl': 5,
  'persistent-sequential-with-ttl': 6,
}

export const permissionBits: Readonly<Record<Permission, number>> = {
  read: 1,
  write: 2,
  create: 4,
  delete: 8,
  admin: 16,
}

export const eventTypes: ReadonlyMap<number, Exclude<WatchEvent['type'], 'missed' | 'session-lost'>> = new Map([
  [1, 'created'],
  [2, 'deleted'],
  [3, 'changed'],
  [4, 'children-changed'],
])

export const addWatchModes = { persistent: 0, recursive: 1 } as const
/** What removeWatches removes: those on children, those on data and existence, or all of a path. */
export const watcherTypes = { child: 1, data: 2, any: 3 } as const

export const notificationXid = -1
export const pingXid = -2
export const authXid = -4
/**
 * Request numbers are 32 bits; they start anew before they run out (#101). The library numbers a packet when it writes it,
 * so there must be room behind this for all that can wait in its queue.
 */
export const xidMax = 2 ** 31 - 2 ** 20

function isVersion(version: unknown): boolean {
  return version === 'any' || (Number.isInteger(version) && Number(version) >= 0 && Number(version) < 2 ** 31)
}
const versionRule = is.that('is "any" or a whole number from 0 below 2^31', isVersion)

/** Throws `bad-arguments` for what is none. */
export function versionNumber(attempt: string, version: Version): number {
  if (!isVersion(version)) assertGiven(attempt, { version }, { version: versionRule })
  return version === 'any' ? -1 : version
}
