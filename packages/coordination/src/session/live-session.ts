// The session over connections: it opens them one after the other, keeps the lease, and turns both into states. Calls are
// kept in calls.ts, watches in watches.ts; what a connection is, in zookeeper.ts.

import { connect, type Socket } from 'node:net'
import { asError, sleep, type Clock, type Random, type Timer } from '@catchment/runtime'
import { Backoff } from './backoff.ts'
import { Calls } from './calls.ts'
import { assertPath, isCode, ZooKeeperError } from './errors.ts'
import { Lease } from './lease.ts'
import { parseServers, Rotation } from './servers.ts'
import type {
  CallOptions,
  CreateMode,
  Operation,
  ReadOptions,
  SessionLog,
  SessionOptions,
  SessionState,
  Stat,
  Version,
  ZooKeeperSession,
} from './session.ts'
import { States, tell } from './states.ts'
import { Watches, type WatchKind } from './watches.ts'
import { Connection, requestBytesMax, requests, type Granted, type Request, type SessionIdentity } from './zookeeper.ts'

const closeTimeoutMsMax = 1_000
const reconnectBackoff = { baseMs: 20, maxMs: 1_000 }
/** A connection that ends sooner counts as a failure, so that a server that drops everyone is not asked in a tight loop. */
const steadyMs = 1_000

type Opening = 'open' | 'expired' | 'failed'

/**
 * Connects and resolves with a session that reconnects and renews itself until close(). Rejects with `unreachable` (blame:
 * operator), naming each server and why, when none answers within `connectTimeoutMs`.
 */
export async function openSession(options: SessionOptions): Promise<ZooKeeperSession> {
  const session = new LiveSession(options)
  const timeoutMs = options.connectTimeoutMs ?? 2 * options.sessionTimeoutMs
  try {
    await session.opened(timeoutMs)
    return session
  } catch (thrown) {
    await session.close()
    throw thrown
  }
}

class LiveSession implements ZooKeeperSession {
  readonly clock: Clock
  readonly random: Random
  readonly log: SessionLog
  readonly #options: SessionOptions
  readonly #rotation: Rotation
  readonly #calls: Calls
  readonly #states: States
  readonly #backoff: Backoff
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #watches = new Watches()
  #generation = 0
  #lease: Lease | undefined
  #leaseTimer: Timer | undefined
  #connection: Connection | undefined
  #identity: SessionIdentity | undefined
  /**
   * A session that is lost here may still live there, with its ephemerals (after an outage of all servers for longer than its
   * timeout): the next connection attaches to it and closes it, or hears that it has expired. Only then comes a new one.
   */
  #abandoned: SessionIdentity | undefined
  #zxid: Buffer | undefined
  #timeoutMs: number
  #closing: Promise<void> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.clock = options.clock
    this.random = options.random
    this.log = options.log ?? (() => undefined)
    this.#rotation = new Rotation(parseServers(options.servers), options.random)
    this.#calls = new Calls(options.clock)
    this.#states = new States(this.log)
    this.#backoff = new Backoff(options.random, reconnectBackoff)
    this.#timeoutMs = options.sessionTimeoutMs
    this.#running = this.#run().catch((thrown: unknown) => {
      if (!this.#stop.signal.aborted) this.log('session ended by a bug', { error: asError(thrown) })
    })
  }

  get state(): SessionState {
    const over = this.#lease?.over(this.clock.monotonicMs()) === true
    return this.#states.current === 'connected' && over ? 'suspended' : this.#states.current
  }

  get sessionId(): string | undefined {
    return this.#identity?.id.toString('hex')
  }

  get generation(): number {
    return this.#generation
  }

  get sessionTimeoutMs(): number {
    return this.#timeoutMs
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#states.listen(listener)
  }

  async opened(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.clock.after(timeoutMs, () => {
        unsubscribe()
        reject(this.#rotation.unreachable(timeoutMs))
      })
      const unsubscribe = this.onState((state) => {
        if (state !== 'connected') return
        timer.cancel()
        unsubscribe()
        resolve()
      })
    })
  }

  create(path: string, data: Uint8Array, mode: CreateMode = 'persistent', options?: CallOptions): Promise<string> {
    return this.#call(() => requests.create(checked(path), data, mode), options)
  }

  get(path: string, options?: ReadOptions): Promise<{ data: Buffer; stat: Stat }> {
    return this.#watched('data', path, requests.get, options)
  }

  set(path: string, data: Uint8Array, version: Version, options?: CallOptions): Promise<Stat> {
    return this.#call(() => requests.set(checked(path), data, version), options)
  }

  delete(path: string, version: Version, options?: CallOptions): Promise<void> {
    return this.#call(() => requests.delete(checked(path), version), options)
  }

  async exists(path: string, options?: ReadOptions): Promise<Stat | undefined> {
    try {
      return await this.#watched('exist', path, requests.exists, options)
    } catch (thrown) {
      if (isCode(thrown, 'no-node')) return undefined
      throw thrown
    }
  }

  children(path: string, options?: ReadOptions): Promise<{ names: string[]; stat: Stat }> {
    return this.#watched('child', path, requests.children, options)
  }

  sync(path: string, options?: CallOptions): Promise<void> {
    return this.#call(() => requests.sync(checked(path)), options)
  }

  async multi(operations: readonly Operation[], options?: CallOptions): Promise<void> {
    if (operations.length === 0) return
    for (const { path } of operations) assertPath(path)
    await this.#call(() => requests.multi(operations), options)
  }

  async ensurePath(path: string, options?: CallOptions): Promise<void> {
    assertPath(path)
    if ((await this.exists(path, options)) !== undefined) return
    const parent = path.slice(0, path.lastIndexOf('/'))
    if (parent !== '') await this.ensurePath(parent, options)
    try {
      await this.create(path, new Uint8Array(), 'persistent', options)
    } catch (thrown) {
      if (!isCode(thrown, 'node-exists')) throw thrown
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #call<T>(
    make: () => Request<T>,
    options: CallOptions = {},
    onAnswer?: Parameters<Calls['call']>[2],
  ): Promise<T> {
    const request = make()
    if (request.bytes > requestBytesMax)
      throw new ZooKeeperError(
        'too-large',
        `${request.attempt}: a request has at most ${requestBytesMax} bytes, this one ${request.bytes}; split it`,
      )
    if (
      options.generation !== undefined &&
      (options.generation !== this.#generation || this.#states.current === 'lost')
    )
      throw new ZooKeeperError('session-lost', `${request.attempt}: session ${options.generation} is lost`)
    if (this.#closing !== undefined) throw new ZooKeeperError('closed', `${request.attempt}: the session is closed`)
    return this.#calls.call(request, { timeoutMs: 2 * this.#timeoutMs, ...options }, onAnswer)
  }

  #watched<T>(
    kind: WatchKind,
    path: string,
    make: (path: string, watch: boolean) => Request<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    const { watch } = options
    return this.#call(
      () => make(checked(path), watch !== undefined),
      options,
      (answer) => {
        if (watch === undefined) return
        if (!('error' in answer)) this.#watches.add(kind === 'exist' ? 'data' : kind, path, watch)
        else if (kind === 'exist' && answer.error.code === 'no-node') this.#watches.add('exist', path, watch)
      },
    )
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      const startedMs = this.clock.monotonicMs()
      const opening = await this.#openOnce()
      if (opening === 'open' && this.clock.monotonicMs() - startedMs >= steadyMs) {
        this.#backoff.reset()
        failures = 0
      } else if (opening !== 'expired') {
        failures += 1
        if (failures % this.#rotation.servers.length === 0) await sleep(this.clock, this.#backoff.nextMs(), signal)
      }
    }
  }

  /** Opens one connection and resolves when it has ended. */
  #openOnce(): Promise<Opening> {
    const server = this.#rotation.next()
    const leaving = this.#abandoned
    let opening: Opening = 'failed'
    return new Promise((resolve) => {
      const connection: Connection = new Connection(
        {
          server,
          connect: this.#options.connect ?? connectTcp,
          sessionTimeoutMs: this.#options.sessionTimeoutMs,
          openTimeoutMs: Math.max(this.#timeoutMs / 3, 250),
          identity: leaving ?? this.#identity,
          zxid: leaving === undefined ? this.#zxid : undefined,
          clock: this.clock,
        },
        {
          onOpen: (granted) => {
            opening = 'open'
            if (leaving === undefined) this.#onOpen(connection, granted)
            else this.#leave(connection)
          },
          onExpired: () => {
            if (this.#identity !== undefined || leaving !== undefined) opening = 'expired'
            if (leaving === undefined) this.#onLost('the server says that the session has expired')
            this.#abandoned = undefined
            connection.destroy('expired')
          },
          onWatch: (event) => {
            tell(this.#watches.take(event), event, this.log)
          },
          onAnswered: (sentAtMs) => {
            if (leaving === undefined) this.#lease?.answered(sentAtMs)
          },
          onClosed: (reason) => {
            if (opening === 'failed') this.#rotation.failed(server, reason)
            this.#onDisconnected(connection, reason)
            resolve(opening)
          },
        },
      )
      this.#connection = connection
    })
  }

  #leave(connection: Connection): void {
    void this.#farewell(connection).then((heard) => {
      if (heard) this.#abandoned = undefined
      connection.destroy('the abandoned session is closed')
    })
  }

  #onOpen(connection: Connection, granted: Granted): void {
    const renewed = this.#identity === undefined
    this.#identity = granted
    this.#timeoutMs = granted.sessionTimeoutMs
    if (renewed) this.#generation += 1
    this.#lease = new Lease(granted.sessionTimeoutMs, granted.sentAtMs)
    this.#scheduleLease()
    for (const batch of this.#watches.batches())
      connection.send(requests.setWatches(this.#zxid ?? Buffer.alloc(8), batch), (answer) => {
        if ('error' in answer) connection.destroy(answer.error.message)
      })
    this.#states.become('connected', {
      sessionId: this.sessionId,
      generation: this.#generation,
      sessionTimeoutMs: this.#timeoutMs,
    })
    if (this.#connection === connection && this.#states.current === 'connected') this.#calls.attach(connection)
  }

  #onDisconnected(connection: Connection, reason: string): void {
    if (this.#connection === connection) this.#connection = undefined
    this.#calls.detach()
    if (this.#identity !== undefined) this.#zxid = connection.zxid
    if (this.#states.current === 'connected') this.#states.become('suspended', { reason })
  }

  #onLost(reason: string): void {
    this.#leaseTimer?.cancel()
    this.#lease = undefined
    this.#identity = undefined
    this.#zxid = undefined
    const watches = this.#watches
    this.#watches = new Watches()
    this.#calls.failWaiting('session-lost', reason)
    if (this.#states.current !== 'lost') this.#states.become('lost', { reason })
    for (const path of watches.paths())
      tell(watches.take({ type: 'session-lost', path }), { type: 'session-lost', path }, this.log)
  }

  #scheduleLease(): void {
    this.#leaseTimer?.cancel()
    const lease = this.#lease
    if (lease === undefined) return
    this.#leaseTimer = this.clock.after(lease.nextCheckMs(this.clock.monotonicMs()), () => {
      this.#checkLease(lease)
      this.#scheduleLease()
    })
  }

  #checkLease(lease: Lease): void {
    const now = this.clock.monotonicMs()
    const connection = this.#states.current === 'connected' ? this.#connection : undefined
    if (connection !== undefined && lease.silent(now)) {
      connection.destroy(`nothing was answered for ${Math.round((lease.timeoutMs * 2) / 3)} ms`)
    } else if (connection !== undefined && lease.pingDue(now)) {
      lease.pinged(now)
      connection.ping()
    }
    if (!lease.over(now)) return
    this.#abandoned = this.#identity
    this.#onLost(`the lease of ${lease.timeoutMs} ms ran out`)
    this.#connection?.destroy('its session is lost')
  }

  async #close(): Promise<void> {
    this.#leaseTimer?.cancel()
    const connection = this.#connection
    if (this.#states.current === 'connected' && connection !== undefined) await this.#farewell(connection)
    this.#stop.abort(new ZooKeeperError('closed', 'the session is closed'))
    this.#identity = undefined
    this.#calls.failWaiting('closed', 'the session is closed')
    this.#states.become('closed')
    this.#connection?.destroy('the session is closed')
    await this.#running
  }

  /** Closes the session of this connection; whether the server said so in time. */
  #farewell(connection: Connection): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.clock.after(Math.min(closeTimeoutMsMax, this.#timeoutMs / 3), () => {
        resolve(false)
      })
      connection.send(requests.closeSession(), (answer) => {
        timer.cancel()
        resolve('value' in answer)
      })
    })
  }
}

function connectTcp(server: { readonly host: string; readonly port: number }): Socket {
  return connect(server).setNoDelay()
}

function checked(path: string): string {
  assertPath(path)
  return path
}
