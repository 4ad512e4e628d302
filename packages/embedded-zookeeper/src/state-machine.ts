// The whole state of a server as a synchronous state machine: tree, sessions, zxid. Every write becomes one transaction
// that the caller puts into the log; replaying the log's transactions gives the same state. Nothing here knows of
// sockets, clocks or files.

import { settleAcl, demand, permission, type Acl, type Identity } from './acl.ts'
import type { Change, NodeChange, Transaction } from './changes.ts'
import { code, RequestError, type ErrorCode } from './errors.ts'
import { containerOwner, lifetimeOf, ttlOwner, type Lifetime } from './owner.ts'
import { parentOf, validatePath } from './paths.ts'
import {
  permanentPaths,
  statOf,
  Tree,
  type Applied,
  type FrozenTree,
  type Node,
  type Stamp,
  type Stat,
  type TreeEvent,
} from './tree.ts'

export type WriteOperation =
  | {
      readonly type: 'create'
      readonly path: string
      readonly data: Buffer | null
      readonly acl: readonly Acl[] | null
      /** Which request it came in: that makes a container or a TTL node, the mode alone does not. */
      readonly as: 'node' | 'container' | 'ttl'
      readonly mode: number
      /** Negative: none. */
      readonly ttlMs: bigint
    }
  | { readonly type: 'delete'; readonly path: string; readonly version: number }
  | { readonly type: 'setData'; readonly path: string; readonly data: Buffer | null; readonly version: number }
  | { readonly type: 'setAcl'; readonly path: string; readonly acl: readonly Acl[] | null; readonly version: number }
  | { readonly type: 'check'; readonly path: string; readonly version: number }

export interface Caller {
  readonly sessionId: bigint
  readonly identities: readonly Identity[]
}

/** What one operation came to. `stat` is that of the node right after it; delete and check have none. */
export type Outcome =
  | { readonly ok: true; readonly path: string; readonly stat: Stat | undefined }
  | { readonly ok: false; readonly code: ErrorCode }

/** A transaction that has been applied, what watchers must hear of it, and what each operation came to. */
export interface Commit {
  readonly transaction: Transaction
  readonly events: readonly TreeEvent[]
  readonly outcomes: readonly Outcome[]
}

export interface SessionRecord {
  readonly id: bigint
  readonly password: Buffer
  readonly timeoutMs: number
}

export interface FrozenState {
  readonly zxid: bigint
  readonly lastSessionId: bigint
  readonly sessions: readonly SessionRecord[]
  readonly tree: FrozenTree
}

/** ZooKeeper's create modes as they travel (org.apache.zookeeper.CreateMode). */
const createModes: ReadonlyMap<number, { readonly lifetime: Lifetime; readonly sequential: boolean }> = new Map([
  [0, { lifetime: 'persistent', sequential: false }],
  [1, { lifetime: 'ephemeral', sequential: false }],
  [2, { lifetime: 'persistent', sequential: true }],
  [3, { lifetime: 'ephemeral', sequential: true }],
  [4, { lifetime: 'container', sequential: false }],
  [5, { lifetime: 'ttl', sequential: false }],
  [6, { lifetime: 'ttl', sequential: true }],
])

export class StateMachine {
  readonly tree = new Tree()
  readonly #sessions = new Map<bigint, SessionRecord>()
  #zxid = 0n
  #lastSessionId = 0n

  /** The zxid of the last transaction. */
  get zxid(): bigint {
    return this.#zxid
  }

  get lastSessionId(): bigint {
    return this.#lastSessionId
  }

  get sessions(): ReadonlyMap<bigint, SessionRecord> {
    return this.#sessions
  }

  /** The state as of this instant, which later writes do not touch. */
  freeze(): FrozenState {
    const { zxid, lastSessionId } = this
    return { zxid, lastSessionId, sessions: [...this.#sessions.values()], tree: this.tree.freeze() }
  }

  /** Continues where a snapshot ends. */
  restore(from: { zxid: bigint; lastSessionId: bigint; sessions: Iterable<SessionRecord> }): void {
    this.#zxid = from.zxid
    this.#lastSessionId = from.lastSessionId
    for (const session of from.sessions) this.#sessions.set(session.id, session)
  }

  /** A transaction from the log: the one after the last. */
  replay(transaction: Transaction): void {
    if (transaction.zxid !== this.#zxid + 1n)
      throw new Error(`transaction ${transaction.zxid.toString(16)} does not follow ${this.#zxid.toString(16)}`)
    for (const change of transaction.changes) this.#apply(change, transaction)
    this.#zxid = transaction.zxid
  }

  /** Ids grow, also over restarts: they start at the time, as in ZooKeeper, and never fall behind the last. */
  openSession(timeoutMs: number, password: Buffer, timeMs: number): Commit & { readonly session: SessionRecord } {
    const fromTime = (BigInt(timeMs) & 0xff_ffff_ffffn) << 16n
    const id = fromTime > this.#lastSessionId ? fromTime : this.#lastSessionId + 1n
    const session = { id, password, timeoutMs }
    return { ...this.#commit([{ type: 'openSession', ...session }], timeMs), session }
  }

  /** Ends a session; its ephemerals go with it. Of an unknown one: a transaction that changes nothing. */
  closeSession(id: bigint, timeMs: number): Commit {
    return this.#commit(this.#sessions.has(id) ? [{ type: 'closeSession', id }] : [], timeMs)
  }

  /** Deletes a container or a TTL node that is due. */
  reap(path: string, timeMs: number): Commit {
    return this.#commit([{ type: 'delete', path }], timeMs)
  }

  /** All of `operations` or none. When one fails, the ones before it are told ok, the ones after runtimeInconsistency. */
  write(operations: readonly WriteOperation[], caller: Caller, timeMs: number): Commit {
    const stamp = { zxid: this.#zxid + 1n, timeMs }
    const changes: Change[] = []
    const applied: Applied[] = []
    const outcomes: Outcome[] = []
    try {
      for (const operation of operations) {
        const change = this.#decide(operation, caller)
        if (change !== undefined) {
          changes.push(change)
          applied.push(this.tree.apply(change, stamp))
        }
        outcomes.push(this.#outcome(change))
      }
    } catch (thrown) {
      if (!(thrown instanceof RequestError)) throw thrown
      for (const { undo } of applied.reverse()) undo()
      return { ...this.#commit([], timeMs), outcomes: refused(operations.length, outcomes.length, thrown.code) }
    }
    this.#zxid = stamp.zxid
    return { transaction: { ...stamp, changes }, events: applied.flatMap(({ events }) => events), outcomes }
  }

  #outcome(change: NodeChange | undefined): Outcome {
    const node = change === undefined ? undefined : this.tree.get(change.path)
    return { ok: true, path: change?.path ?? '', stat: node === undefined ? undefined : statOf(node) }
  }

  #commit(changes: readonly Change[], timeMs: number): Commit {
    const stamp = { zxid: this.#zxid + 1n, timeMs }
    const events = changes.flatMap((change) => this.#apply(change, stamp))
    this.#zxid = stamp.zxid
    return { transaction: { ...stamp, changes }, events, outcomes: [] }
  }

  #apply(change: Change, stamp: Stamp): readonly TreeEvent[] {
    switch (change.type) {
      case 'openSession':
        this.#sessions.set(change.id, { id: change.id, password: change.password, timeoutMs: change.timeoutMs })
        if (change.id > this.#lastSessionId) this.#lastSessionId = change.id
        return []
      case 'closeSession':
        this.#sessions.delete(change.id)
        return this.tree
          .ephemeralsOf(change.id)
          .flatMap((path) => this.tree.apply({ type: 'delete', path }, stamp).events)
      case 'create':
      case 'delete':
      case 'setData':
      case 'setAcl':
        return this.tree.apply(change, stamp).events
    }
  }

  /** The change that an operation comes to, or undefined for a check that holds. Throws RequestError. */
  #decide(operation: WriteOperation, caller: Caller): NodeChange | undefined {
    switch (operation.type) {
      case 'create':
        return this.#decideCreate(operation, caller)
      case 'delete':
        return this.#decideDelete(operation, caller)
      case 'setData': {
        const node = this.#demand(operation.path, permission.write, caller)
        return { ...operation, version: nextVersion(node.version, operation.version) }
      }
      case 'setAcl': {
        validatePath(operation.path)
        const acl = settleAcl(operation.acl, caller.identities)
        const node = this.#demand(operation.path, permission.admin, caller)
        return { ...operation, acl, version: nextVersion(node.aclVersion, operation.version) }
      }
      case 'check': {
        const node = this.#demand(operation.path, permission.read, caller)
        nextVersion(node.version, operation.version)
        return undefined
      }
    }
  }

  #decideCreate(operation: WriteOperation & { type: 'create' }, caller: Caller): NodeChange {
    const mode = createModes.get(operation.mode)
    if (mode === undefined) throw new RequestError(code.badArguments, `unknown create mode ${operation.mode}`)
    const ephemeralOwner = ownerOf(operation, mode.lifetime, caller)
    const parentPath = parentOf(operation.path)
    const acl = settleAcl(operation.acl, caller.identities)
    const parent = this.#existing(parentPath)
    demand(parent.acl, permission.create, caller.identities)
    const path = mode.sequential ? operation.path + sequenceNumber(parent.creates) : operation.path
    validatePath(path)
    if (this.tree.get(path) !== undefined) throw new RequestError(code.nodeExists, path)
    if (lifetimeOf(parent.ephemeralOwner) === 'ephemeral')
      throw new RequestError(code.noChildrenForEphemerals, parentPath)
    return { type: 'create', path, data: operation.data, acl, ephemeralOwner }
  }

  #decideDelete({ path, version }: WriteOperation & { type: 'delete' }, caller: Caller): NodeChange {
    const parentPath = parentOf(path)
    if (permanentPaths.includes(path)) throw new RequestError(code.badArguments, `${path} is permanent`)
    demand(this.#existing(parentPath).acl, permission.delete, caller.identities)
    const node = this.#existing(path)
    nextVersion(node.version, version)
    if (node.children.size > 0) throw new RequestError(code.notEmpty, path)
    return { type: 'delete', path }
  }

  #demand(path: string, permissions: number, caller: Caller): Node {
    validatePath(path)
    const node = this.#existing(path)
    demand(node.acl, permissions, caller.identities)
    return node
  }

  #existing(path: string): Node {
    const node = this.tree.get(path)
    if (node === undefined) throw new RequestError(code.noNode, path)
    return node
  }
}

/** Throws badArguments when a TTL and a mode do not go together. */
function ownerOf(operation: WriteOperation & { type: 'create' }, lifetime: Lifetime, caller: Caller): bigint {
  const { as, ttlMs } = operation
  if (as === 'ttl' || lifetime === 'ttl') {
    if (as !== lifetime)
      throw new RequestError(code.badArguments, `a TTL of ${ttlMs} ms for a node that is ${lifetime}`)
    return ttlOwner(ttlMs)
  }
  if (as === 'container') return containerOwner
  return lifetime === 'ephemeral' ? caller.sessionId : 0n
}

/** The version after the current one; -1 expects any. */
function nextVersion(current: number, expected: number): number {
  if (expected !== -1 && expected !== current)
    throw new RequestError(code.badVersion, `version ${current}, expected ${expected}`)
  return (current + 1) | 0
}

/** Java's %010d: past 2³¹ − 1 it turns negative, sign included in the ten characters. */
function sequenceNumber(creates: number): string {
  return creates < 0 ? `-${String(-creates).padStart(9, '0')}` : String(creates).padStart(10, '0')
}

function refused(operations: number, failedAt: number, failure: ErrorCode): Outcome[] {
  return Array.from({ length: operations }, (_, at) => ({
    ok: false,
    code: at < failedAt ? code.ok : at === failedAt ? failure : code.runtimeInconsistency,
  }))
}
