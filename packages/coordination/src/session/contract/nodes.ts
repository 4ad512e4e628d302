// What a znode is: its data's stat, who may touch it, how it is created, and the operations of transactions.

import type { createFlags, permission } from '@catchment/zookeeper-wire'

/**
 * persistent: until deleted. ephemeral: until its session ends. container: deleted by the server some time after its last
 * child was. persistent-with-ttl: deleted when it was not changed for `ttlMs` and has no children (a server must have
 * `extendedTypesEnabled`). sequential: ten digits are added to the name, growing per parent.
 */
export type CreateMode = keyof typeof createFlags

/** The version that a write demands; `any` demands none. */
export type Version = number | 'any'

/** What ZooKeeper keeps of a node. Transaction ids and owners are 16 hex digits, comparable as text; times ms since 1970. */
export interface Stat {
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly dataLength: number
  readonly numChildren: number
  /** The owning session of an ephemeral; undefined for every other node. */
  readonly ephemeralOwner: string | undefined
  readonly czxid: string
  readonly mzxid: string
  readonly pzxid: string
  readonly ctimeMs: number
  readonly mtimeMs: number
}

export type Permission = keyof typeof permission

/** Whom a node permits what. Schemes: `world` (id `anyone`), `auth` (id empty: its creator), `digest`, `ip`, … */
export interface Acl {
  readonly scheme: string
  readonly id: string
  readonly permissions: readonly Permission[]
}

export interface Creation {
  readonly op: 'create'
  readonly path: string
  readonly data: Uint8Array
  readonly mode?: CreateMode | undefined
  readonly acl?: readonly Acl[] | undefined
  /** Of the modes with a TTL: how long it may stay unchanged, from 1 ms. */
  readonly ttlMs?: number | undefined
}

export type Operation =
  | Creation
  | { readonly op: 'set'; readonly path: string; readonly data: Uint8Array; readonly version: Version }
  | { readonly op: 'delete'; readonly path: string; readonly version: Version }
  | { readonly op: 'check'; readonly path: string; readonly version: Version }

/** The path as created, with its number if sequential. */
export interface Created {
  readonly path: string
  readonly stat: Stat
}

/** Of a create the path as created; a server reports no stat there. */
export type OperationResult = string | Stat | undefined

/** What each operation of a transaction gave, in its place. */
export type OperationResults<T extends readonly Operation[]> = {
  readonly [Index in keyof T]: ResultOf<T[Index]>
}
type ResultOf<T> = T extends { readonly op: 'create' } ? string : T extends { readonly op: 'set' } ? Stat : undefined

export type ReadOperation =
  { readonly op: 'get'; readonly path: string } | { readonly op: 'children'; readonly path: string }
