/** ZooKeeper's error codes (org.apache.zookeeper.KeeperException.Code), as far as this server answers them. */
export const code = {
  ok: 0,
  runtimeInconsistency: -2,
  marshallingError: -5,
  unimplemented: -6,
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
  noWatcher: -121,
  quotaExceeded: -125,
} as const

export type ErrorCode = (typeof code)[keyof typeof code]

/** A request that is answered with an error code; nothing has changed. */
export class RequestError extends Error {
  readonly code: ErrorCode

  constructor(errorCode: ErrorCode, message: string) {
    super(message)
    this.name = 'RequestError'
    this.code = errorCode
  }
}
