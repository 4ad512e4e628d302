// Joins the state machine with the connections: handshakes, requests, notifications, expiry. Everything here happens
// synchronously when a packet or a timer comes, in that order; only the gate makes packets wait.

import { timingSafeEqual } from 'node:crypto'
import type { Clock, Random } from '@catchment/runtime'
import { errorCode, JuteError, JuteReader, permission } from '@catchment/zookeeper-wire'
import { allows } from '../tree/acl.ts'
import type { Transaction } from '../tree/changes.ts'
import type { ClientConnection } from '../connections/connection.ts'
import { RequestError } from '../tree/errors.ts'
import { OutputGate, type LogPosition } from '../connections/gate.ts'
import type { Limits } from '../connections/limits.ts'
import { Reaper } from './reaper.ts'
import { answer, type RequestAnswer } from '../requests/requests.ts'
import { SessionTracker } from './sessions.ts'
import type { WriteOperation } from '../tree/operations.ts'
import type { Commit, StateMachine } from '../tree/state-machine.ts'
import type { Stats } from '../connections/stats.ts'
import type { TreeEvent } from '../tree/tree.ts'
import { WatchManager } from '../watches/watches.ts'
import {
  connectResponse,
  expired,
  failure,
  notification,
  readConnectRequest,
  readHeader,
  reply,
  type ConnectRequest,
  type Header,
} from '../requests/wire.ts'

const PASSWORD_BYTES = 16
/** A packet begins with its length. */
const lengthBytes = 4

/** Where transactions are kept. */
interface TransactionLog extends LogPosition {
  append(transaction: Transaction): void
}

export interface EngineOptions {
  readonly machine: StateMachine
  /** Undefined: in memory. */
  readonly log: TransactionLog | undefined
  readonly clock: Clock
  readonly random: Random
  readonly stats: Stats
  readonly limits: Limits
  /** Bounds of what a client may negotiate. */
  readonly sessionTimeoutMs: { readonly min: number; readonly max: number }
}

export class Engine {
  readonly gate: OutputGate
  readonly watches = new WatchManager<ClientConnection>()
  readonly #options: EngineOptions
  readonly #tracker: SessionTracker
  readonly #reaper: Reaper
  readonly #connections = new Map<bigint, ClientConnection>()

  constructor(options: EngineOptions) {
    this.#options = options
    this.gate = new OutputGate(options.log)
    this.#tracker = new SessionTracker(options.clock, (id) => {
      this.expire(id)
    })
    this.#reaper = new Reaper(options.clock, options.limits.containerCheckIntervalMs, () => {
      this.#reap()
    })
    this.#reaper.watch(options.machine.tree.hasExpiring)
    // Sessions outlive the server: each has its whole timeout to come back.
    for (const { id, timeoutMs } of options.machine.sessions.values()) this.#tracker.touch(id, timeoutMs)
  }

  connectionOf(sessionId: bigint): ClientConnection | undefined {
    return this.#connections.get(sessionId)
  }

  close(): void {
    this.#tracker.close()
    this.#reaper.close()
  }

  /** The session ends as if its timeout had passed. */
  expire(id: bigint): void {
    this.#options.stats.sessionsExpired += 1
    this.#endSession(id)
    this.#connections.get(id)?.close('sessionExpired')
  }

  closed(connection: ClientConnection): void {
    this.watches.remove(connection)
    if (this.#connections.get(connection.sessionId) === connection) this.#connections.delete(connection.sessionId)
  }

  /** A packet. Bytes that are no handshake or have no header end the connection. */
  frame(connection: ClientConnection, bytes: Buffer): void {
    const reader = new JuteReader(bytes, lengthBytes)
    try {
      if (connection.sessionId === 0n) this.#handshake(connection, readConnectRequest(reader))
      else this.#request(connection, readHeader(reader), reader)
    } catch (thrown) {
      if (!(thrown instanceof JuteError)) throw thrown
      connection.close('malformed')
    }
  }

  #handshake(connection: ClientConnection, request: ConnectRequest): void {
    const { machine, limits, sessionTimeoutMs } = this.#options
    if (request.lastZxidSeen > machine.zxid) {
      connection.close('zxidAhead')
      return
    }
    const timeoutMs = Math.min(Math.max(request.timeoutMs, sessionTimeoutMs.min), sessionTimeoutMs.max)
    const session = request.sessionId === 0n ? undefined : machine.sessions.get(request.sessionId)
    if (request.sessionId === 0n) {
      if (machine.sessions.size >= limits.sessionsMax) connection.close('tooMany')
      else this.#attach(connection, this.#openSession(timeoutMs), request.knowsReadOnly)
      return
    }
    this.#connections.get(request.sessionId)?.close('sessionMoved') // before the password is looked at, as in ZooKeeper
    if (session === undefined || !isSame(session.password, request.password))
      this.gate.send(connection, connectResponse(expired, request.knowsReadOnly), () => {
        connection.close('sessionExpired')
      })
    else this.#attach(connection, { ...session, timeoutMs }, request.knowsReadOnly)
  }

  #openSession(timeoutMs: number): { id: bigint; password: Buffer; timeoutMs: number } {
    const { machine, random, clock } = this.#options
    const commit = machine.openSession(timeoutMs, Buffer.from(random.bytes(PASSWORD_BYTES)), clock.now())
    this.#commit(commit)
    return commit.session
  }

  #attach(
    connection: ClientConnection,
    session: { id: bigint; password: Buffer; timeoutMs: number },
    knowsReadOnly: boolean,
  ): void {
    const { id, password, timeoutMs } = session
    connection.attach(id, timeoutMs)
    this.#connections.set(id, connection)
    this.#tracker.touch(id, timeoutMs)
    this.gate.send(connection, connectResponse({ timeoutMs, sessionId: id, password }, knowsReadOnly))
  }

  #request(connection: ClientConnection, header: Header, reader: JuteReader): void {
    this.#tracker.touch(connection.sessionId, connection.timeoutMs)
    const { stats, clock, limits } = this.#options
    const startedMs = clock.monotonicMs()
    stats.outstanding += 1
    const given = this.#answer(connection, header, reader)
    for (const event of given.missed ?? []) this.gate.send(connection, notification(event))
    this.gate.send(connection, this.#reply(header, given), () => {
      stats.outstanding -= 1
      stats.observeLatency(clock.monotonicMs() - startedMs)
      if (given.close !== undefined) connection.close(given.close)
    })
    if (this.watches.countOf(connection) > limits.watchesPerConnectionMax) connection.close('tooManyWatches')
  }

  #answer(connection: ClientConnection, header: Header, reader: JuteReader): RequestAnswer {
    try {
      return answer(header.type, reader, {
        tree: this.#options.machine.tree,
        watches: this.watches,
        connection,
        write: (operations) => this.#write(operations, connection),
        endSession: () => {
          this.#endSession(connection.sessionId)
        },
      })
    } catch (thrown) {
      if (thrown instanceof RequestError) return { error: thrown.code }
      if (thrown instanceof JuteError) return { error: errorCode.marshallingError }
      throw thrown
    }
  }

  #reply(header: Header, { error, body, zxid = this.#options.machine.zxid, silent = false }: RequestAnswer): Buffer {
    if (silent) return Buffer.alloc(0)
    return error === undefined ? reply(header, zxid, body) : failure(header, zxid, error)
  }

  #write(operations: readonly WriteOperation[], connection: ClientConnection): Commit {
    const { machine, limits, clock } = this.#options
    const grows = operations.some(({ type }) => type === 'create' || type === 'setData')
    if (grows && machine.tree.bytes > limits.treeBytesMax)
      throw new RequestError(
        errorCode.quotaExceeded,
        `the tree has ${machine.tree.bytes} bytes, at most ${limits.treeBytesMax}`,
      )
    const commit = machine.write(operations, connection, clock.now())
    this.#commit(commit)
    return commit
  }

  /** Deletes the containers and TTL nodes that are due, each in a transaction of its own. */
  #reap(): void {
    const { machine, clock, limits } = this.#options
    const due = machine.tree.due(clock.now()).slice(0, limits.containerDeletionsMax)
    for (const path of due) this.#commit(machine.reap(path, clock.now()))
    this.#reaper.watch(machine.tree.hasExpiring)
  }

  #endSession(id: bigint): void {
    this.#tracker.remove(id)
    this.#commit(this.#options.machine.closeSession(id, this.#options.clock.now()))
  }

  /** Into the log first, so that the notifications wait for it; they precede the reply of what caused them. */
  #commit({ transaction, events }: Commit): void {
    this.#options.log?.append(transaction)
    for (const event of events) this.#notify(event)
    this.#reaper.watch(this.#options.machine.tree.hasExpiring)
  }

  /** A watch is spent also when its owner may not read the node and so hears nothing (CVE-2024-23944). */
  #notify(event: TreeEvent): void {
    const watchers = this.watches.fire(event)
    if (watchers.size === 0) return
    const bytes = notification(event)
    for (const watcher of watchers)
      if (allows(event.acl, permission.read, watcher.identities)) this.gate.send(watcher, bytes)
  }
}

function isSame(password: Buffer, given: Buffer): boolean {
  return password.length === given.length && timingSafeEqual(password, given)
}
