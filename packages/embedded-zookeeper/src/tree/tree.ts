// The znodes, and the only code that changes them. A change is already decided (changes.ts says how): applying it
// cannot fail, says what watchers must hear, and returns how to undo it, which is what makes multi atomic.

import { type AclEntry, eventType } from '@catchment/zookeeper-wire'
import { openAcl, readOnlyAcl } from './acl.ts'
import type { NodeChange } from './changes.ts'
import { emptyNode, weightOf, type Node } from './node.ts'
import { lifetimeOf, ttlMsOf } from './owner.ts'
import { nameOf, parentOf } from './paths.ts'

/** The nodes as of one instant, whatever becomes of the tree afterwards; except their `children`. Parents come first. */
export interface FrozenTree {
  readonly paths: readonly string[]
  readonly nodes: readonly Readonly<Node>[]
}

export interface Stamp {
  readonly zxid: bigint
  readonly timeMs: number
}

/** What watchers may have to hear. */
export interface TreeEvent {
  readonly type: (typeof eventType)[keyof typeof eventType]
  readonly path: string
  /** Of the node at `path`, as it is or was: who may not read the node does not hear of it. */
  readonly acl: readonly AclEntry[]
}

export interface Applied {
  readonly events: readonly TreeEvent[]
  readonly undo: () => void
}

const NODE_BYTES = 256

/** Nodes that can never be deleted. */
export const permanentPaths: readonly string[] = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']

export class DataTree {
  readonly #nodes = new Map<string, Node>()
  /** Paths by owning session, in the order of creation. */
  readonly #ephemerals = new Map<bigint, Set<string>>()
  /** Paths of containers and TTL nodes, in the order of creation. */
  readonly #expiring = new Set<string>()
  #dataBytes = 0
  #freezes = 0

  constructor() {
    for (const path of permanentPaths)
      this.insert(path, emptyNode(path === '/zookeeper/config' ? readOnlyAcl : openAcl))
  }

  get size(): number {
    return this.#nodes.size
  }

  get ephemeralCount(): number {
    let count = 0
    for (const paths of this.#ephemerals.values()) count += paths.size
    return count
  }

  /** Bytes of paths and data. */
  get dataBytes(): number {
    return this.#dataBytes
  }

  /** About what the tree takes of memory, for a limit. */
  get bytes(): number {
    return this.#dataBytes + this.#nodes.size * NODE_BYTES
  }

  /** An empty path is the root's too, as in ZooKeeper. */
  get(path: string): Node | undefined {
    return this.#nodes.get(path === '' ? '/' : path)
  }

  /** Whether there are containers or TTL nodes. */
  get hasExpiring(): boolean {
    return this.#expiring.size > 0
  }

  /** Containers that had children and have none, and TTL nodes without any that were not written for their time. */
  due(nowMs: number): string[] {
    return [...this.#expiring].filter((path) => {
      const node = this.#existing(path)
      if (node.children.size > 0) return false
      if (lifetimeOf(node.ephemeralOwner) === 'container') return node.creates > 0
      return nowMs - node.modifiedMs > ttlMsOf(node.ephemeralOwner)
    })
  }

  /** Every node after its parent. */
  entries(): Iterable<[string, Node]> {
    return this.#nodes.entries()
  }

  /** Costs two arrays; from here on a node is copied before it changes for the first time. */
  freeze(): FrozenTree {
    this.#freezes += 1
    return { paths: [...this.#nodes.keys()], nodes: [...this.#nodes.values()] }
  }

  /** Nodes below a path, at any depth. */
  countBelow(path: string): number {
    if (path === '/') return this.#nodes.size - 1
    let count = 0
    for (const at of this.#nodes.keys()) if (at.startsWith(`${path}/`)) count += 1
    return count
  }

  ephemeralsOf(sessionId: bigint): readonly string[] {
    return [...(this.#ephemerals.get(sessionId) ?? [])]
  }

  /** Puts a node below its parent, which exists, without counting it: how a snapshot is read. */
  insert(path: string, node: Node): void {
    this.#remove(path)
    this.#nodes.set(path, node)
    this.#dataBytes += weightOf(path, node)
    if (path !== '/') this.#parent(path).children.add(nameOf(path))
    const lifetime = lifetimeOf(node.ephemeralOwner)
    if (lifetime === 'container' || lifetime === 'ttl') this.#expiring.add(path)
    if (lifetime !== 'ephemeral') return
    const paths = this.#ephemerals.get(node.ephemeralOwner) ?? new Set()
    this.#ephemerals.set(node.ephemeralOwner, paths.add(path))
  }

  apply(change: NodeChange, stamp: Stamp): Applied {
    switch (change.type) {
      case 'create':
        return this.#create(change, stamp)
      case 'delete':
        return this.#delete(change.path, stamp)
      case 'setData':
        return this.#setData(change, stamp)
      case 'setAcl':
        return this.#setAcl(change)
    }
  }

  #create(change: NodeChange & { type: 'create' }, stamp: Stamp): Applied {
    const { path } = change
    const parent = this.#writable(parentOf(path))
    const { creates, childrenZxid } = parent
    this.insert(path, {
      ...emptyNode(change.acl),
      data: change.data,
      createdZxid: stamp.zxid,
      modifiedZxid: stamp.zxid,
      childrenZxid: stamp.zxid,
      createdMs: stamp.timeMs,
      modifiedMs: stamp.timeMs,
      ephemeralOwner: change.ephemeralOwner,
      freezes: this.#freezes,
    })
    parent.creates = (creates + 1) | 0
    parent.childrenZxid = stamp.zxid
    return {
      events: [
        { type: eventType.created, path, acl: change.acl },
        { type: eventType.childrenChanged, path: parentOf(path), acl: parent.acl },
      ],
      undo: () => {
        this.#remove(path)
        parent.creates = creates
        parent.childrenZxid = childrenZxid
      },
    }
  }

  #delete(path: string, stamp: Stamp): Applied {
    const node = this.#existing(path)
    const parent = this.#writable(parentOf(path))
    const { childrenZxid } = parent
    this.#remove(path)
    parent.childrenZxid = stamp.zxid
    return {
      events: [
        { type: eventType.deleted, path, acl: node.acl },
        { type: eventType.childrenChanged, path: parentOf(path), acl: parent.acl },
      ],
      undo: () => {
        this.insert(path, node)
        parent.childrenZxid = childrenZxid
      },
    }
  }

  #setData(change: NodeChange & { type: 'setData' }, stamp: Stamp): Applied {
    const node = this.#writable(change.path)
    const { data, version, modifiedMs, modifiedZxid } = node
    const put = (next: Pick<Node, 'data' | 'version' | 'modifiedMs' | 'modifiedZxid'>): void => {
      this.#dataBytes += (next.data?.length ?? 0) - (node.data?.length ?? 0)
      Object.assign(node, next)
    }
    put({ data: change.data, version: change.version, modifiedMs: stamp.timeMs, modifiedZxid: stamp.zxid })
    return {
      events: [{ type: eventType.dataChanged, path: change.path, acl: node.acl }],
      undo: () => {
        put({ data, version, modifiedMs, modifiedZxid })
      },
    }
  }

  #setAcl(change: NodeChange & { type: 'setAcl' }): Applied {
    const node = this.#writable(change.path)
    const { acl, aclVersion } = node
    node.acl = change.acl
    node.aclVersion = change.version
    return {
      events: [],
      undo: () => {
        node.acl = acl
        node.aclVersion = aclVersion
      },
    }
  }

  #remove(path: string): void {
    const node = this.#nodes.get(path)
    if (node === undefined) return
    this.#nodes.delete(path)
    this.#dataBytes -= weightOf(path, node)
    if (path !== '/') this.#parent(path).children.delete(nameOf(path))
    this.#expiring.delete(path)
    const paths = this.#ephemerals.get(node.ephemeralOwner)
    paths?.delete(path)
    if (paths?.size === 0) this.#ephemerals.delete(node.ephemeralOwner)
  }

  #parent(path: string): Node {
    return this.#existing(parentOf(path))
  }

  /** The node, safe to be changed: a snapshot that is being written keeps the former one. */
  #writable(path: string): Node {
    const node = this.#existing(path)
    if (node.freezes === this.#freezes) return node
    const copy = { ...node, freezes: this.#freezes }
    this.#nodes.set(path, copy)
    return copy
  }

  #existing(path: string): Node {
    const node = this.#nodes.get(path)
    if (node === undefined)
      throw new Error(`a change names ${path}, which does not exist: the change was not decided on this tree`)
    return node
  }
}
