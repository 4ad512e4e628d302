// The field ephemeralOwner says what ends a node, in ZooKeeper's own encoding: 0 nothing, a session id the end of that
// session, the smallest number that the node has had children and has none now (a container), a first byte of 0xff
// that it has no children and has not been written for the milliseconds in the other bytes (a TTL node).

import { errorCode } from '@catchment/zookeeper-wire'
import { RequestError } from './errors.ts'

export type Lifetime = 'persistent' | 'ephemeral' | 'container' | 'ttl'

export const containerOwner = -(2n ** 63n)
const ttlMark = 0xffn << 56n
/** Five bytes: 34 years. */
const ttlMsMax = 0xff_ffff_ffffn

/** Throws badArguments unless the time is between 1 ms and 34 years. */
export function ttlOwner(ttlMs: bigint): bigint {
  if (ttlMs <= 0n || ttlMs > ttlMsMax) throw new RequestError(errorCode.badArguments, `a TTL of ${ttlMs} ms`)
  return BigInt.asIntN(64, ttlMark | ttlMs)
}

export function lifetimeOf(owner: bigint): Lifetime {
  if (owner === 0n) return 'persistent'
  if (owner === containerOwner) return 'container'
  return BigInt.asUintN(64, owner) >> 56n === 0xffn ? 'ttl' : 'ephemeral'
}

export function ttlMsOf(owner: bigint): number {
  return Number(owner & ttlMsMax)
}
