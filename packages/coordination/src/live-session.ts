// The session over connections: it opens them one after the other, keeps the lease, and turns both into states. Calls are
// kept in calls.ts, watches in watches.ts; what a connection is, in zookeeper.ts.

import { asError, fullJitter, sleep, type Clock, type Timer } from '@catchment/runtime'
import { Calls } from './calls.ts'
import { assertPath, isCode, ZooKeeperError } from './errors.ts'
import { Lease } from './lease.ts'
import { parseServers, Rotation } from './servers.ts'
import type {
  CallOptions,
  CreateMode,
  Operation,
  ReadOptions,
  SessionOptions,
  SessionState,
  Stat,
  Version,
  WatchEvent,
  ZooKeeperSession,
} from './session.ts'
import { Watches, type WatchKind } from './watches.ts'
import { Connection, requestBytesMax, requests, type Granted, type Request, type SessionIdentity } from './zookeeper.ts'

const closeTimeoutMsMax = 1_000
const reconnectBackoff = { baseMs: 20, maxMs: 1_000 }

const transitions: Readonly<Record<SessionState, readonly SessionState[]>> = {
  connected: ['suspended', 'closed'],
  suspended: ['connected', 'lost', 'closed'],
  lost: ['connected', 'closed'],
  closed: [],
}

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
  readonly #options: SessionOptions
  readonly #clock: Clock
  readonly #rotation: Rotation
  readonly #calls: Calls
  readonly #listeners = new Set<(state: SessionState) => void>()
  readonly #failures = new Map<string, string>()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #watches = new Watches()
  #state: SessionState = 'lost'
  #generation = 0
  #lease: Lease | undefined
  #leaseTimer: Timer | undefined
  #connection: Connection | undefined
  #identity: SessionIdentity | undefined
  #abandoned: { readonly identity: SessionIdentity; readonly untilMs: number } | undefined
  #zxid: Buffer | undefined
  #timeoutMs: number
  #closing: Promise<void> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#rotation = new Rotation(parseServers(options.servers), options.random)
    this.#calls = new Calls(options.clock)
    this.#timeoutMs = options.sessionTimeoutMs
    this.#running = this.#run().catch((thrown: unknown) => {
      if (!this.#stop.signal.aborted) this.#log('session ended by a bug', { error: asError(thrown) })
    })
  }

  get state(): SessionState {
    const over = this.#lease?.over(this.#clock.monotonicMs()) === true
    return this.#state === 'connected' && over ? 'suspended' : this.#state
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
    const entry = (state: SessionState): void => {
      listener(state)
    }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  async opened(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        unsubscribe()
        const each = this.#rotation.servers.map(({ host, port }) => {
          const name = `${host}:${port}`
          return `${name} (${this.#failures.get(name) ?? 'no answer'})`
        })
        reject(
          new ZooKeeperError(
            'unreachable',
            `no ZooKeeper server answered within ${timeoutMs} ms: ${each.join(', ')}; check that they run and are reachable`,
          ),
        )
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
      return await this.#watched('data', path, requests.exists, options, 'exist')
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
    if (this.#closing !== undefined) throw new ZooKeeperError('closed', `${request.attempt}: the session is closed`)
    return this.#calls.call(request, { timeoutMs: 2 * this.#timeoutMs, ...options }, onAnswer)
  }

  #watched<T>(
    kind: WatchKind,
    path: string,
    make: (path: string, watch: boolean) => Request<T>,
    options: ReadOptions = {},
    kindIfAbsent?: WatchKind,
  ): Promise<T> {
    const { watch } = options
    return this.#call(
      () => make(checked(path), watch !== undefined),
      options,
      (answer) => {
        if (watch === undefined) return
        if (!('error' in answer)) this.#watches.add(kind, path, watch)
        else if (kindIfAbsent !== undefined && answer.error.code === 'no-node')
          this.#watches.add(kindIfAbsent, path, watch)
      },
    )
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let delays = fullJitter(this.#options.random, reconnectBackoff)()
    let tries = 0
    while (!signal.aborted) {
      const opening = await this.#openOnce()
      if (opening === 'open') {
        delays = fullJitter(this.#options.random, reconnectBackoff)()
        tries = 0
      } else if (opening === 'failed') {
        tries += 1
        if (tries % this.#rotation.servers.length === 0) await sleep(this.#clock, delays.next().value ?? 0, signal)
      }
    }
  }

  /** Opens one connection and resolves when it has ended. */
  #openOnce(): Promise<Opening> {
    const server = this.#rotation.next()
    const leaving = this.#toLeave()
    let opening: Opening = 'failed'
    return new Promise((resolve) => {
      const connection: Connection = new Connection(
        {
          server,
          sessionTimeoutMs: this.#options.sessionTimeoutMs,
          openTimeoutMs: Math.max(this.#timeoutMs / 3, 250),
          identity: leaving ?? this.#identity,
          zxid: leaving === undefined ? this.#zxid : undefined,
          clock: this.#clock,
        },
        {
          onOpen: (granted) => {
            opening = 'open'
            if (leaving === undefined) this.#onOpen(connection, granted)
            else this.#leave(connection)
          },
          onExpired: () => {
            opening = 'expired'
            if (leaving === undefined) this.#onLost('the server says that the session has expired')
            this.#abandoned = undefined
            connection.destroy('expired')
          },
          onWatch: (event) => {
            this.#fire(event)
          },
          onAnswered: (sentAtMs) => {
            if (leaving === undefined) this.#lease?.answered(sentAtMs)
          },
          onClosed: (reason) => {
            if (opening === 'failed') this.#failures.set(`${server.host}:${server.port}`, reason)
            this.#onDisconnected(connection, reason)
            resolve(opening)
          },
        },
      )
      this.#connection = connection
    })
  }

  /** A session that is lost here may still live there, with its ephemerals: for one more timeout it is attached to and closed. */
  #toLeave(): SessionIdentity | undefined {
    if (this.#abandoned !== undefined && this.#abandoned.untilMs <= this.#clock.monotonicMs())
      this.#abandoned = undefined
    return this.#abandoned?.identity
  }

  #leave(connection: Connection): void {
    this.#abandoned = undefined
    void this.#farewell(connection).then(() => {
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
      connection.send(requests.setWatches(this.#zxid ?? Buffer.alloc(8), batch), () => undefined)
    this.#become('connected', { sessionId: this.sessionId, generation: this.#generation })
    if (this.#connection === connection && this.#state === 'connected') this.#calls.attach(connection)
  }

  #onDisconnected(connection: Connection, reason: string): void {
    if (this.#connection === connection) this.#connection = undefined
    this.#calls.detach()
    if (this.#identity !== undefined) this.#zxid = connection.zxid
    if (this.#state === 'connected') this.#become('suspended', { reason })
  }

  #onLost(reason: string): void {
    this.#leaseTimer?.cancel()
    this.#lease = undefined
    this.#identity = undefined
    this.#zxid = undefined
    const watches = this.#watches
    this.#watches = new Watches()
    this.#calls.failWaiting('session-lost', reason)
    if (this.#state !== 'lost') this.#become('lost', { reason })
    for (const path of watches.paths())
      this.#tell(watches.take({ type: 'session-lost', path }), { type: 'session-lost', path })
  }

  #scheduleLease(): void {
    this.#leaseTimer?.cancel()
    const lease = this.#lease
    if (lease === undefined) return
    this.#leaseTimer = this.#clock.after(lease.nextCheckMs(this.#clock.monotonicMs()), () => {
      this.#checkLease(lease)
      this.#scheduleLease()
    })
  }

  #checkLease(lease: Lease): void {
    const now = this.#clock.monotonicMs()
    const connection = this.#state === 'connected' ? this.#connection : undefined
    if (connection !== undefined && lease.silent(now)) {
      connection.destroy(`nothing was answered for ${Math.round((lease.timeoutMs * 2) / 3)} ms`)
    } else if (connection !== undefined && lease.pingDue(now)) {
      lease.pinged(now)
      connection.ping()
    }
    if (!lease.over(now)) return
    if (this.#identity !== undefined) this.#abandoned = { identity: this.#identity, untilMs: now + lease.timeoutMs }
    this.#onLost(`the lease of ${lease.timeoutMs} ms ran out`)
    this.#connection?.destroy('its session is lost')
  }

  #become(state: SessionState, fields: Readonly<Record<string, unknown>>): void {
    if (!transitions[this.#state].includes(state))
      throw new Error(`a session does not go from ${this.#state} to ${state}`)
    this.#state = state
    this.#log(`zookeeper session ${state}`, fields)
    this.#tell([...this.#listeners], state)
  }

  #fire(event: WatchEvent): void {
    this.#tell(this.#watches.take(event), event)
  }

  #tell<T>(listeners: readonly ((value: T) => void)[], value: T): void {
    for (const listener of listeners) {
      try {
        listener(value)
      } catch (thrown) {
        this.#log('a listener of the session threw', { error: asError(thrown) })
      }
    }
  }

  async #close(): Promise<void> {
    this.#leaseTimer?.cancel()
    const connection = this.#connection
    if (this.#state === 'connected' && connection !== undefined) await this.#farewell(connection)
    this.#stop.abort(new ZooKeeperError('closed', 'the session is closed'))
    this.#identity = undefined
    this.#calls.failWaiting('closed', 'the session is closed')
    this.#become('closed', {})
    this.#connection?.destroy('the session is closed')
    this.#listeners.clear()
    await this.#running
  }

  #farewell(connection: Connection): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(Math.min(closeTimeoutMsMax, this.#timeoutMs / 3), resolve)
      connection.send(requests.closeSession(), () => {
        timer.cancel()
        resolve()
      })
    })
  }

  #log(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#options.log?.(message, fields)
  }
}

function checked(path: string): string {
  assertPath(path)
  return path
}
