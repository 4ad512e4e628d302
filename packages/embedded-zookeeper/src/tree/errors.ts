import type { errorCode } from '@catchment/zookeeper-wire'

export type ErrorCode = (typeof errorCode)[keyof typeof errorCode]

/** A request that is answered with an error code; nothing has changed. */
export class RequestError extends Error {
  readonly code: ErrorCode

  constructor(errorCode: ErrorCode, message: string) {
    super(message)
    this.name = 'RequestError'
    this.code = errorCode
  }
}
