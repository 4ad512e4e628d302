// One znode.
//
// What surprises in ZooKeeper's counters: a node counts the creates below it, never the deletes. The sequence number
// is that count; the cversion that clients see is 2 × creates − children, so that it grows by deletes too.

import type { AclEntry } from '@catchment/zookeeper-wire'
import { lifetimeOf } from './owner.ts'

export interface Node {
  data: Buffer | null
  acl: readonly AclEntry[]
  readonly createdZxid: bigint
  modifiedZxid: bigint
  childrenZxid: bigint
  readonly createdMs: number
  modifiedMs: number
  version: number
  aclVersion: number
  creates: number
  /** What ends it: owner.ts. */
  readonly ephemeralOwner: bigint
  /** Names, not paths. */
  readonly children: Set<string>
  /** How often the tree had been frozen when this was made: an older one may be in use by a snapshot. */
  readonly freezes: number
}

/** What clients see of a node, in the order of the wire. */
export interface NodeStat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: bigint
}

/** The stat as clients see it: containers and TTL nodes look like persistent ones. */
export function statOf(node: Node): NodeStat {
  return {
    czxid: node.createdZxid,
    mzxid: node.modifiedZxid,
    ctimeMs: node.createdMs,
    mtimeMs: node.modifiedMs,
    version: node.version,
    cversion: (node.creates * 2 - node.children.size) | 0,
    aversion: node.aclVersion,
    ephemeralOwner: lifetimeOf(node.ephemeralOwner) === 'ephemeral' ? node.ephemeralOwner : 0n,
    dataLength: node.data?.length ?? 0,
    numChildren: node.children.size,
    pzxid: node.childrenZxid,
  }
}

/** One that was made by no transaction. */
export function emptyNode(acl: readonly AclEntry[]): Node {
  return {
    data: Buffer.alloc(0),
    acl,
    createdZxid: 0n,
    modifiedZxid: 0n,
    childrenZxid: 0n,
    createdMs: 0,
    modifiedMs: 0,
    version: 0,
    aclVersion: 0,
    creates: 0,
    ephemeralOwner: 0n,
    children: new Set(),
    freezes: 0,
  }
}

/** Bytes of path and data. */
export function weightOf(path: string, node: Node): number {
  return path.length + (node.data?.length ?? 0)
}
