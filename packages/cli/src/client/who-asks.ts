import { hostname, userInfo } from 'node:os'

/** `alice@host`, for the journal and for histories. */
export function whoAsks(): string {
  return `${userInfo().username}@${hostname()}`.slice(0, 100)
}
