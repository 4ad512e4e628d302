// A session as its users see it. It outlives what ZooKeeper calls a session: when that is lost, another one is made and
// `generation` grows. The states, and what they allow:
//
//   connected   a server answered within the last two thirds of the session timeout
//   suspended   no connection, or silence. Ephemerals may still be there. Stop acting as leader or holder
//   lost        the lease ran out (counted from the sending of the last answered request) or the server said expired:
//               ephemerals and watches are gone or soon will be. A new session is being made
//   closed      by close(), or because the servers refuse credentials that they took before; for good
//
//   connected → suspended → connected | lost;  lost → connected;  any → closed
//
// No state proves what the servers think. `lost` does not prove that the ephemerals are gone already, nor `connected` that
// they are still there: a server that is cut off from its leader for longer than the session timeout answers us for a while
// (lease.ts), and a process can be stopped between a look at the state and what it does next. Writes that matter are fenced:
// by the version of a node (`check` in a multi), or by a token that grows from holder to holder.

import type { Duplex } from 'node:stream'
import type { Clock, Random } from '@catchment/runtime'
import type { Identity } from '@catchment/zookeeper-wire'
import type { Acl, Created, CreateMode, Operation, OperationResults, ReadOperation, Stat, Version } from './nodes.ts'
import type { ZooKeeperError } from './errors.ts'

export type SessionState = 'connected' | 'suspended' | 'lost' | 'closed'

/**
 * What a watch reports. `session-lost`, once and last: the watch is gone with its session, so anything may have changed.
 * `missed`, to persistent watches only: the connection was lost and is there again; what happened between was not heard.
 * The watches of reads lose nothing that way: the server reports a change when they are restored.
 */
export interface WatchEvent {
  readonly type: 'created' | 'deleted' | 'changed' | 'children-changed' | 'missed' | 'session-lost'
  readonly path: string
}

export type WatchListener = (event: WatchEvent) => void

export interface CallOptions {
  /** Ends the call with `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Ends the call with `timeout`; twice the session timeout unless given. */
  readonly timeoutMs?: number | undefined
  /** Ends the call with `session-lost` rather than send it in another session than this one (`session.generation`). */
  readonly generation?: number | undefined
}

export interface ReadOptions extends CallOptions {
  /** Called once, at the next change. The same function on the same node counts once. */
  readonly watch?: WatchListener | undefined
}

export interface CreateOptions extends CallOptions {
  /** Everyone may do everything unless given. */
  readonly acl?: readonly Acl[] | undefined
  /** Of the modes with a TTL: how long the node may stay unchanged, from 1 ms. */
  readonly ttlMs?: number | undefined
}

export interface WatchOptions extends CallOptions {
  /** Also report what happens below the node, at any depth; then `children-changed` is not reported. */
  readonly recursive?: boolean | undefined
}

/** A watch that stays until it is removed or its session is lost. */
export interface PersistentWatch extends AsyncDisposable {
  readonly path: string
  /** Reports nothing from now on. Resolves when the server holds no watch for it any more, or its connection is over. */
  remove(options?: CallOptions): Promise<void>
}

export interface Credentials {
  /** `digest`, with the proof `user:password`, unless the servers have other providers. */
  readonly scheme: string
  readonly proof: string | Uint8Array
}

/**
 * Every call rejects with a ZooKeeperError and in no other way. While the session is suspended or lost, calls wait (at
 * most 100,000 of them and 64 MiB, then `overloaded`) and are sent when it is connected again; `lost` ends those that
 * waited before it. A call that was sent and lost its connection ends at once with `connection-lost`; nothing is ever sent
 * twice. Paths, also in answers, events and errors, are below the chroot if there is one.
 */
export interface ZooKeeperSession {
  /** What it was opened with; recipes take theirs from here. */
  readonly clock: Clock
  readonly random: Random
  readonly log: SessionLog
  /**
   * Never `connected` past the end of the lease, even if the process was stopped and no timer ran yet. It then says
   * `suspended` before listeners are notified; `lost` follows, and answers that came meanwhile end as `connection-lost`.
   */
  readonly state: SessionState
  /** Hex of the current one, undefined while lost and when closed. */
  readonly sessionId: string | undefined
  /** Counts the sessions, from 1. */
  readonly generation: number
  /** What the server granted; until the first connection what was asked for. */
  readonly sessionTimeoutMs: number
  /** Reports changes only. A listener that throws is logged. Returns unsubscribe. */
  onState(listener: (state: SessionState) => void): () => void

  /** Resolves with the path as created, with its number if sequential. */
  create(path: string, data: Uint8Array, mode?: CreateMode, options?: CreateOptions): Promise<string>
  /** As create(); the stat is that of the creation, so that `czxid` is known without another read. */
  createWithStat(path: string, data: Uint8Array, mode?: CreateMode, options?: CreateOptions): Promise<Created>
  get(path: string, options?: ReadOptions): Promise<{ readonly data: Buffer; readonly stat: Stat }>
  set(path: string, data: Uint8Array, version: Version, options?: CallOptions): Promise<Stat>
  delete(path: string, version: Version, options?: CallOptions): Promise<void>
  /** A watch given to an absent node fires when it is created. */
  exists(path: string, options?: ReadOptions): Promise<Stat | undefined>
  /** Names in no order. */
  children(path: string, options?: ReadOptions): Promise<{ readonly names: string[]; readonly stat: Stat }>
  /** How many nodes there are below, at any depth (ZooKeeper's getAllChildrenNumber). */
  descendantCount(path: string, options?: CallOptions): Promise<number>
  /** The paths of the ephemerals of this session at and below `path`, in no order (ZooKeeper's getEphemerals). */
  ephemerals(path: string, options?: CallOptions): Promise<string[]>
  /**
   * Reads of this session that follow see everything that the leader had committed when it was asked. No quorum is: a leader
   * that was deposed and has not noticed may answer for a moment, so what others wrote meanwhile can be missing.
   */
  sync(path: string, options?: CallOptions): Promise<void>

  /** All or nothing. Resolves with what each gave; the error names the index and the code of the failed one. */
  multi<const T extends readonly Operation[]>(operations: T, options?: CallOptions): Promise<OperationResults<T>>
  /** Reads of one instant, each with its own result or error. `children` comes without a stat. */
  multiRead<const T extends readonly ReadOperation[]>(operations: T, options?: CallOptions): Promise<ReadResults<T>>

  /** Creates the persistent nodes of `path` that are missing, without data; those of the chroot too. */
  ensurePath(path: string, options?: CallOptions): Promise<void>
  /**
   * Deletes the node and everything below it, the deepest first, also what others create there meanwhile. No transaction:
   * when it fails with the outcome `unknown`, part of it may be gone. Nodes that are gone already are no error. `timeoutMs`
   * bounds the whole.
   */
  deleteTree(path: string, options?: CallOptions): Promise<void>

  /**
   * A watch that stays (ZooKeeper 3.6 and later). After a reconnect it is restored, and `missed` is reported. Resolves when the
   * server holds it. One watch serves all listeners of a path, and watches of reads there too.
   */
  addWatch(path: string, listener: WatchListener, options?: WatchOptions): Promise<PersistentWatch>
  /**
   * Takes back a listener that was given to reads of `path`: it is not called any more. Resolves when the server
   * holds no watch for it any more, unless others listen there.
   */
  unwatch(path: string, listener: WatchListener, options?: CallOptions): Promise<void>

  /** As unwatch(), on every node that reads gave it to. */
  unwatchAll(listener: WatchListener, options?: CallOptions): Promise<void>

  /** `stat.aversion` is the version of the list. */
  getAcl(path: string, options?: CallOptions): Promise<{ readonly acl: Acl[]; readonly stat: Stat }>
  /** `version` is that of the list. */
  setAcl(path: string, acl: readonly Acl[], version: Version, options?: CallOptions): Promise<Stat>
  /**
   * Shows the servers who we are, now and at every reconnect before anything else is sent; the same credentials once. What a
   * server refuses rejects with `auth-failed` and is not shown again; a refusal of what was accepted before ends the session.
   * When it was sent and ends early, the outcome is `unknown`: if a server accepts it still, it is shown from then on.
   */
  addAuth(credentials: Credentials, options?: CallOptions): Promise<void>
  /** What the server takes us for (ZooKeeper 3.7 and later). */
  whoAmI(options?: CallOptions): Promise<Identity[]>

  /**
   * Ends the session: it is `closed` when this returns, and no watch reports anything more. Then a server is notified, if there is
   * a connection, so that the ephemerals vanish at once. Resolves always: when it has answered, or after a second, or
   * `timeoutMs`, or as soon as `signal` aborts; what is wrong with these is ignored. The first call decides; the others
   * wait for it.
   */
  close(options?: Pick<CallOptions, 'signal' | 'timeoutMs'>): Promise<void>
}

/** What each read gave, in its place. */
export type ReadResults<T extends readonly ReadOperation[]> = { readonly [Index in keyof T]: ReadResultOf<T[Index]> }
export type ReadResult = { readonly data: Buffer; readonly stat: Stat } | { readonly names: string[] } | ZooKeeperError
type ReadResultOf<T> =
  | (T extends { readonly op: 'get' } ? { readonly data: Buffer; readonly stat: Stat } : { readonly names: string[] })
  | ZooKeeperError

export type SessionLog = (message: string, fields: Readonly<Record<string, unknown>>) => void

/** A socket under way to a server: it emits `connect` when it may be written, as those of node:net and node:tls do. */
export type ConnectSocket = (server: { readonly host: string; readonly port: number }) => ClientSocket
export type ClientSocket = Duplex & { setTimeout(timeoutMs: number, listener?: () => void): unknown }

export interface SessionOptions {
  /**
   * `host:port,host:port`; IPv6 in brackets; port 2181 unless given. A path after the last is the chroot: all paths of the
   * session are below it. It need not exist: ensurePath() makes it.
   */
  readonly servers: string
  readonly sessionTimeoutMs: number
  /** The machine's unless given; so is `random`. */
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly log?: SessionLog | undefined
  /** How a server is reached: TCP unless given. `tls.connect` with its options gives TLS; simulations stay in memory. */
  readonly connect?: ConnectSocket | undefined
  /** Shown at every connection, from the first on; one that is refused makes openSession() reject with `auth-failed`. */
  readonly auth?: readonly Credentials[] | undefined
  /** How many watches it holds at most; a call that asks for one more is refused with `overloaded`. 200,000 unless given. */
  readonly watchesMax?: number | undefined
  /** How long openSession() tries; twice the session timeout unless given. */
  readonly connectTimeoutMs?: number | undefined
}
