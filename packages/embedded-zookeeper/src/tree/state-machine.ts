// The whole state of a server as a synchronous state machine: tree, sessions, zxid. Every write becomes one transaction
// that the caller puts into the log; replaying the log's transactions gives the same state. Nothing here knows of
// sockets, clocks or files.

import { errorCode } from '@catchment/zookeeper-wire'
import type { Change, NodeChange, Transaction } from './changes.ts'
import { RequestError, type ErrorCode } from './errors.ts'
import { statOf, type NodeStat } from './node.ts'
import { decide, type Caller, type WriteOperation } from './operations.ts'
import { DataTree, type Applied, type FrozenTree, type Stamp, type TreeEvent } from './tree.ts'

/** What one operation came to. `stat` is that of the node right after it; delete and check have none. */
export type OperationOutcome =
  | { readonly ok: true; readonly path: string; readonly stat: NodeStat | undefined }
  | { readonly ok: false; readonly code: ErrorCode }

/** A transaction that has been applied, what watchers must hear of it, and what each operation came to. */
export interface Commit {
  readonly transaction: Transaction
  readonly events: readonly TreeEvent[]
  readonly outcomes: readonly OperationOutcome[]
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

export class StateMachine {
  readonly tree = new DataTree()
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

  /** Ids grow, also over restarts: they start at the time, as in ZooKeeper, and never below the last. */
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

  /** All of `operations` or none. When one fails, the ones before it are answered ok, those after it runtimeInconsistency. */
  write(operations: readonly WriteOperation[], caller: Caller, timeMs: number): Commit {
    const stamp = { zxid: this.#zxid + 1n, timeMs }
    const changes: Change[] = []
    const applied: Applied[] = []
    const outcomes: OperationOutcome[] = []
    try {
      for (const operation of operations) {
        const change = decide(operation, this.tree, caller)
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

  #outcome(change: NodeChange | undefined): OperationOutcome {
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
}

function refused(operations: number, failedAt: number, failure: ErrorCode): OperationOutcome[] {
  return Array.from({ length: operations }, (_, at) => ({
    ok: false,
    code: at < failedAt ? errorCode.ok : at === failedAt ? failure : errorCode.runtimeInconsistency,
  }))
}
