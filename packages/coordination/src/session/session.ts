// A session as its users see it. It outlives what ZooKeeper calls a session: when that is lost, another one is made and
// `generation` grows. The states, and what they allow:
//
//   connected   a server answered within the last two thirds of the session timeout
//   suspended   no connection, or silence. Ephemerals may still be there. Stop acting as leader or holder
//   lost        the lease ran out (counted from the sending of the last answered request) or the server said expired:
//               ephemerals and watches are gone or soon will be. A new session is being made
//   closed      by close(); for good
//
//   connected → suspended → connected | lost;  lost → connected;  any → closed
//
// A local `lost` cannot prove that the server dropped the ephemerals already: writes that matter are fenced by version.

import type { Duplex } from 'node:stream'
import type { Clock, Random } from '@catchment/runtime'

export type SessionState = 'connected' | 'suspended' | 'lost' | 'closed'
export type CreateMode = 'persistent' | 'ephemeral' | 'persistent-sequential' | 'ephemeral-sequential'
/** The version that a write demands; `any` demands none. */
export type Version = number | 'any'

/** What ZooKeeper keeps of a node. Transaction ids and owners are 16 hex digits, comparable as text; times ms since 1970. */
export interface Stat {
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly dataLength: number
  readonly numChildren: number
  /** The owning session of an ephemeral; undefined for a persistent node. */
  readonly ephemeralOwner: string | undefined
  readonly czxid: string
  readonly mzxid: string
  readonly pzxid: string
  readonly ctimeMs: number
  readonly mtimeMs: number
}

/** Fires once. `session-lost`: the watch is gone with its session, so anything may have changed. */
export interface WatchEvent {
  readonly type: 'created' | 'deleted' | 'changed' | 'children-changed' | 'session-lost'
  readonly path: string
}

export interface CallOptions {
  /** Ends the call with `aborted`. */
  readonly signal?: AbortSignal
  /** Ends the call with `timeout`; twice the session timeout unless given. */
  readonly timeoutMs?: number
  /** Ends the call with `session-lost` rather than send it in another session than this one (`session.generation`). */
  readonly generation?: number
}

export interface ReadOptions extends CallOptions {
  readonly watch?: (event: WatchEvent) => void
}

export type Operation =
  | { readonly op: 'create'; readonly path: string; readonly data: Uint8Array; readonly mode?: CreateMode }
  | { readonly op: 'set'; readonly path: string; readonly data: Uint8Array; readonly version: Version }
  | { readonly op: 'delete'; readonly path: string; readonly version: Version }
  | { readonly op: 'check'; readonly path: string; readonly version: Version }

/**
 * Every call rejects with a ZooKeeperError and in no other way. While the session is suspended or lost, calls wait (at
 * most 100,000, then `overloaded`) and are sent when it is connected again; `lost` ends those that waited before it.
 * A call that was sent and lost its connection ends at once with `connection-lost`; nothing is ever sent twice.
 */
export interface ZooKeeperSession {
  /** What it was opened with; recipes take theirs from here. */
  readonly clock: Clock
  readonly random: Random
  readonly log: SessionLog
  /** Never `connected` past the end of the lease, even if the process was stopped and no timer ran yet. */
  readonly state: SessionState
  /** Hex of the current one, undefined while lost. */
  readonly sessionId: string | undefined
  /** Counts the sessions, from 1. */
  readonly generation: number
  /** What the server granted; until the first connection what was asked for. */
  readonly sessionTimeoutMs: number
  /** Tells changes only. A listener that throws is logged. Returns unsubscribe. */
  onState(listener: (state: SessionState) => void): () => void
  /** Resolves with the path as created, with its number if sequential. */
  create(path: string, data: Uint8Array, mode?: CreateMode, options?: CallOptions): Promise<string>
  get(path: string, options?: ReadOptions): Promise<{ readonly data: Buffer; readonly stat: Stat }>
  set(path: string, data: Uint8Array, version: Version, options?: CallOptions): Promise<Stat>
  delete(path: string, version: Version, options?: CallOptions): Promise<void>
  /** A watch given to an absent node fires when it is created. */
  exists(path: string, options?: ReadOptions): Promise<Stat | undefined>
  /** Names in no order. */
  children(path: string, options?: ReadOptions): Promise<{ readonly names: string[]; readonly stat: Stat }>
  /** Reads of this session that follow see everything that was committed before this call. */
  sync(path: string, options?: CallOptions): Promise<void>
  /** All or nothing. The error names the index and the code of the operation that failed. */
  multi(operations: readonly Operation[], options?: CallOptions): Promise<void>
  /** Creates the persistent nodes of `path` that are missing, without data. */
  ensurePath(path: string, options?: CallOptions): Promise<void>
  /** Ends the session, so that its ephemerals vanish at once where a server can be told. Returns always, within a second. */
  close(): Promise<void>
}

export type SessionLog = (message: string, fields: Readonly<Record<string, unknown>>) => void

/** A socket under way to a server: it emits `connect` when it may be written, as those of node:net and node:tls do. */
export type ConnectSocket = (server: { readonly host: string; readonly port: number }) => ClientSocket
export type ClientSocket = Duplex & { setTimeout(timeoutMs: number, listener?: () => void): unknown }

export interface SessionOptions {
  /** `host:port,host:port`; IPv6 in brackets; port 2181 unless given. */
  readonly servers: string
  readonly sessionTimeoutMs: number
  readonly clock: Clock
  readonly random: Random
  readonly log?: SessionLog
  /** How a server is reached: TCP unless given. `tls.connect` with its options gives TLS; simulations stay in memory. */
  readonly connect?: ConnectSocket
  /** How long openSession() tries; twice the session timeout unless given. */
  readonly connectTimeoutMs?: number
}
