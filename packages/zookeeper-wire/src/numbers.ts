// Numbers of the ZooKeeper protocol: org.apache.zookeeper.{ZooDefs, KeeperException.Code, CreateMode, Watcher, AddWatchMode}.

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
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  closeSession: -11,
  /** Not asked for: the type of a result in an answer to multi. */
  error: -1,
} as const

/** ZooKeeper's error codes. */
export const errorCode = {
  ok: 0,
  runtimeInconsistency: -2,
  connectionLoss: -4,
  marshallingError: -5,
  unimplemented: -6,
  operationTimeout: -7,
  badArguments: -8,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  notReadOnly: -119,
  noWatcher: -121,
  requestTimeout: -122,
  sessionClosedRequireSasl: -124,
  quotaExceeded: -125,
  throttled: -127,
} as const

export const createFlags = {
  persistent: 0,
  ephemeral: 1,
  'persistent-sequential': 2,
  'ephemeral-sequential': 3,
  container: 4,
  'persistent-with-ttl': 5,
  'persistent-sequential-with-ttl': 6,
} as const

/** Bits of what an access list permits. */
export const permission = { read: 1, write: 2, create: 4, delete: 8, admin: 16 } as const

/** What a notification reports of a path. */
export const eventType = { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const

export const addWatchMode = { persistent: 0, recursive: 1 } as const
/** Which watches of a path removeWatches removes: those on children, those on data and existence, or all. */
export const watcherType = { child: 1, data: 2, any: 3 } as const
export type WatcherType = keyof typeof watcherType

/** The request number of what answers no request. */
export const notificationXid = -1
/** Those of requests that all have the same number. */
export const pingXid = -2
export const authXid = -4
