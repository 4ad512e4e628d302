// What clients may write, and what it comes to: each operation is decided on the tree as it stands, to a change that can
// no longer fail, or refused.

import { type AclEntry, createFlags, errorCode, type Identity, permission } from '@catchment/zookeeper-wire'
import { demand, settleAcl } from './acl.ts'
import type { NodeChange } from './changes.ts'
import { RequestError } from './errors.ts'
import type { Node } from './node.ts'
import { containerOwner, lifetimeOf, ttlOwner, type Lifetime } from './owner.ts'
import { parentOf, validatePath } from './paths.ts'
import { permanentPaths, type DataTree } from './tree.ts'

export type WriteOperation =
  | {
      readonly type: 'create'
      readonly path: string
      readonly data: Buffer | null
      readonly acl: readonly AclEntry[]
      /** Which request it came in: that makes a container or a TTL node, the mode alone does not. */
      readonly as: 'node' | 'container' | 'ttl'
      readonly mode: number
      /** Negative: none. */
      readonly ttlMs: bigint
    }
  | { readonly type: 'delete'; readonly path: string; readonly version: number }
  | { readonly type: 'setData'; readonly path: string; readonly data: Buffer | null; readonly version: number }
  | { readonly type: 'setAcl'; readonly path: string; readonly acl: readonly AclEntry[]; readonly version: number }
  | { readonly type: 'check'; readonly path: string; readonly version: number }

export interface Caller {
  readonly sessionId: bigint
  readonly identities: readonly Identity[]
}

type NodeCreation = WriteOperation & { type: 'create' }
type Deletion = WriteOperation & { type: 'delete' }

/** ZooKeeper's create modes as they travel (org.apache.zookeeper.CreateMode). */
const createModes: ReadonlyMap<number, { readonly lifetime: Lifetime; readonly sequential: boolean }> = new Map([
  [createFlags.persistent, { lifetime: 'persistent', sequential: false }],
  [createFlags.ephemeral, { lifetime: 'ephemeral', sequential: false }],
  [createFlags['persistent-sequential'], { lifetime: 'persistent', sequential: true }],
  [createFlags['ephemeral-sequential'], { lifetime: 'ephemeral', sequential: true }],
  [createFlags.container, { lifetime: 'container', sequential: false }],
  [createFlags['persistent-with-ttl'], { lifetime: 'ttl', sequential: false }],
  [createFlags['persistent-sequential-with-ttl'], { lifetime: 'ttl', sequential: true }],
])

/** The change that an operation comes to, or undefined for a check that holds. Throws RequestError. */
export function decide(operation: WriteOperation, tree: DataTree, caller: Caller): NodeChange | undefined {
  switch (operation.type) {
    case 'create':
      return decideCreate(operation, tree, caller)
    case 'delete':
      return decideDelete(operation, tree, caller)
    case 'setData': {
      const node = permitted(operation.path, permission.write, { tree, caller })
      return { ...operation, version: nextVersion(node.version, operation.version) }
    }
    case 'setAcl': {
      validatePath(operation.path)
      const acl = settleAcl(operation.acl, caller.identities)
      const node = permitted(operation.path, permission.admin, { tree, caller })
      return { ...operation, acl, version: nextVersion(node.aclVersion, operation.version) }
    }
    case 'check': {
      const node = permitted(operation.path, permission.read, { tree, caller })
      nextVersion(node.version, operation.version)
      return undefined
    }
  }
}

function decideCreate(operation: NodeCreation, tree: DataTree, caller: Caller): NodeChange {
  const mode = createModes.get(operation.mode)
  if (mode === undefined) throw new RequestError(errorCode.badArguments, `unknown create mode ${operation.mode}`)
  const ephemeralOwner = ownerOf(operation, mode.lifetime, caller)
  const parentPath = parentOf(operation.path)
  const acl = settleAcl(operation.acl, caller.identities)
  const parent = existing(parentPath, tree)
  demand(parent.acl, permission.create, caller.identities)
  const path = mode.sequential ? operation.path + sequenceNumber(parent.creates) : operation.path
  validatePath(path)
  if (tree.get(path) !== undefined) throw new RequestError(errorCode.nodeExists, path)
  if (lifetimeOf(parent.ephemeralOwner) === 'ephemeral')
    throw new RequestError(errorCode.noChildrenForEphemerals, parentPath)
  return { type: 'create', path, data: operation.data, acl, ephemeralOwner }
}

function decideDelete({ path, version }: Deletion, tree: DataTree, caller: Caller): NodeChange {
  const parentPath = parentOf(path)
  if (permanentPaths.includes(path)) throw new RequestError(errorCode.badArguments, `${path} is permanent`)
  demand(existing(parentPath, tree).acl, permission.delete, caller.identities)
  const node = existing(path, tree)
  nextVersion(node.version, version)
  if (node.children.size > 0) throw new RequestError(errorCode.notEmpty, path)
  return { type: 'delete', path }
}

/** The node, if the caller has one of `permissions` there. */
function permitted(path: string, permissions: number, { tree, caller }: { tree: DataTree; caller: Caller }): Node {
  validatePath(path)
  const node = existing(path, tree)
  demand(node.acl, permissions, caller.identities)
  return node
}

function existing(path: string, tree: DataTree): Node {
  const node = tree.get(path)
  if (node === undefined) throw new RequestError(errorCode.noNode, path)
  return node
}

/** Throws badArguments when a TTL and a mode do not go together. */
function ownerOf(operation: NodeCreation, lifetime: Lifetime, caller: Caller): bigint {
  const { as, ttlMs } = operation
  if (as === 'ttl' || lifetime === 'ttl') {
    if (as !== lifetime)
      throw new RequestError(errorCode.badArguments, `a TTL of ${ttlMs} ms for a node that is ${lifetime}`)
    return ttlOwner(ttlMs)
  }
  if (as === 'container') return containerOwner
  return lifetime === 'ephemeral' ? caller.sessionId : 0n
}

/** The version after the current one; -1 expects any. */
function nextVersion(current: number, expected: number): number {
  if (expected !== -1 && expected !== current)
    throw new RequestError(errorCode.badVersion, `version ${current}, expected ${expected}`)
  return (current + 1) | 0
}

/** Java's %010d: past 2³¹ − 1 it turns negative, sign included in the ten characters. */
function sequenceNumber(creates: number): string {
  return creates < 0 ? `-${String(-creates).padStart(9, '0')}` : String(creates).padStart(10, '0')
}
