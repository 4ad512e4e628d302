// A session over connections: opens them one after the other, keeps the lease, and turns both into states. When a session is
// lost it makes the next. It knows nothing of calls and watches; what a connection is, stands in zookeeper.ts.

import { asError, limitWait, sleep, type Clock, type Timer } from '@catchment/runtime'
import { Backoff } from './backoff.ts'
import { ZooKeeperError } from '../contract/errors.ts'
import { Lease } from './lease.ts'
import type { WholeOptions } from '../contract/options.ts'
import * as requests from '../requests/requests.ts'
import { Rotation, type Server } from './servers.ts'
import type { CallOptions, SessionLog, SessionState } from '../contract/session.ts'
import { States } from './states.ts'
import { Connection, type ConnectionEvents, type ServerEvent, type Granted, type SessionIdentity } from './zookeeper.ts'

const closeTimeoutMsMax = 1_000
const openTimeoutMsMin = 250
const reconnectBackoff = { baseMs: 20, maxMs: 1_000 }
/** A connection that ends sooner counts as a failure, so that a server that drops everyone is not asked in a tight loop. */
const steadyMs = 1_000

type Opening = 'open' | 'expired' | 'failed'

export interface KeeperEvents {
  /** A connection is attached to the session. Sent here goes before everything else. */
  onAttached(connection: Connection): void
  /** The session is connected, `again` or for the first time: calls may be sent on this. */
  onConnected(connection: Connection, again: boolean): void
  onDisconnected(): void
  /** The session is lost, which listeners of the state have not heard yet. What is returned is called when they have. */
  onLost(reason: string): () => void
  onWatch(event: ServerEvent): void
}

export class Keeper {
  readonly states: States
  readonly #options: WholeOptions
  readonly #events: KeeperEvents
  readonly #clock: Clock
  readonly #log: SessionLog
  readonly #rotation: Rotation
  readonly #backoff: Backoff
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
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

  constructor(options: WholeOptions, servers: readonly Server[], events: KeeperEvents) {
    this.#options = options
    this.#events = events
    this.#clock = options.clock
    this.#log = options.log
    this.#rotation = new Rotation(servers, options.random)
    this.states = new States(options.log)
    this.#backoff = new Backoff(options.random, reconnectBackoff)
    this.#timeoutMs = options.sessionTimeoutMs
  }

  /** By the clock: never `connected` past the end of the lease. */
  get state(): SessionState {
    const over = this.#lease?.over(this.#clock.monotonicMs()) === true
    return this.states.current === 'connected' && over ? 'suspended' : this.states.current
  }

  get sessionId(): string | undefined {
    return this.#identity?.id.toString('hex')
  }

  get generation(): number {
    return this.#generation
  }

  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** The last transaction that this session saw; 0 before the first. */
  get zxid(): bigint {
    return this.#zxid?.readBigInt64BE(0) ?? 0n
  }

  start(): void {
    this.#running ??= this.#run().catch((thrown: unknown) => {
      if (!this.#stop.signal.aborted) this.#log('session ended by a bug', { error: asError(thrown) })
    })
  }

  unreachable(timeoutMs: number): ZooKeeperError {
    return this.#rotation.unreachable(timeoutMs)
  }

  /** Gives up this connection for another, on which everything is set up again. */
  reconnect(reason: string): void {
    this.#connection?.destroy(reason)
  }

  /**
   * Is closed at once: a server that hears of it deletes the ephemerals before we hear of it, and from then on others may hold
   * what we held. Then says so to the server, and waits at most `timeoutMs` for its answer.
   */
  async close({ signal, timeoutMs }: Pick<CallOptions, 'signal' | 'timeoutMs'>, reason: string): Promise<void> {
    const connection = this.states.current === 'connected' && signal?.aborted !== true ? this.#connection : undefined
    this.#stop.abort(new ZooKeeperError('closed', 'the session is closed'))
    this.#leaseTimer?.cancel()
    this.#lease = undefined
    this.#identity = undefined
    this.#events.onDisconnected()
    this.states.become('closed', { reason })
    if (connection !== undefined)
      await this.#farewell(connection, timeoutMs ?? Math.min(closeTimeoutMsMax, this.#timeoutMs / 3), signal)
    this.#connection?.destroy('the session is closed')
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      const startedMs = this.#clock.monotonicMs()
      const opening = await this.#openOnce()
      if (opening === 'open' && this.#clock.monotonicMs() - startedMs >= steadyMs) {
        this.#backoff.reset()
        failures = 0
      } else if (opening !== 'expired') {
        failures += 1
        if (failures % this.#rotation.servers.length === 0) await sleep(this.#clock, this.#backoff.nextMs(), signal)
      }
    }
  }

  /** Opens one connection and resolves when it has ended. */
  #openOnce(): Promise<Opening> {
    const server = this.#rotation.next()
    const leaving = this.#abandoned
    let opening: Opening = 'failed'
    return new Promise((resolve) => {
      const onClosed = (reason: string, connection?: Connection): void => {
        if (opening === 'failed') this.#rotation.failed(server, reason)
        this.#onDisconnected(connection, reason)
        resolve(opening)
      }
      const events: ConnectionEvents = {
        onOpen: (granted, connection) => {
          opening = 'open'
          if (leaving === undefined) this.#onOpen(connection, granted)
          else this.#leave(connection)
        },
        onExpired: (connection) => {
          if (this.#identity !== undefined || leaving !== undefined) opening = 'expired'
          if (leaving === undefined) this.#onLost('the server says that the session has expired')
          this.#abandoned = undefined
          connection.destroy('expired')
        },
        onWatch: (event) => {
          if (leaving === undefined && this.states.current !== 'closed') this.#events.onWatch(event)
        },
        onAnswered: (sentAtMs) => {
          if (leaving === undefined) this.#onAnswered(sentAtMs)
        },
        onClosed,
      }
      try {
        this.#connection = this.#connect(server, leaving, events)
      } catch (thrown) {
        onClosed(asError(thrown).message)
      }
    })
  }

  #connect(server: Server, leaving: SessionIdentity | undefined, events: ConnectionEvents): Connection {
    const options = {
      server,
      connect: this.#options.connect,
      sessionTimeoutMs: this.#options.sessionTimeoutMs,
      openTimeoutMs: Math.max(this.#timeoutMs / 3, openTimeoutMsMin),
      identity: leaving ?? this.#identity,
      zxid: leaving === undefined ? this.#zxid : undefined,
      clock: this.#clock,
    }
    return new Connection(options, events)
  }

  #leave(connection: Connection): void {
    const timeoutMs = Math.min(closeTimeoutMsMax, this.#timeoutMs / 3)
    void this.#farewell(connection, timeoutMs).then((heard) => {
      if (heard) this.#abandoned = undefined
      connection.destroy('the abandoned session is closed')
    })
  }

  #onOpen(connection: Connection, granted: Granted): void {
    const again = this.#identity !== undefined
    const lease = new Lease(granted.sessionTimeoutMs, granted.sentAtMs)
    this.#identity = granted
    this.#timeoutMs = granted.sessionTimeoutMs
    this.#lease = lease
    if (lease.over(this.#clock.monotonicMs())) {
      this.#onLeaseOver(lease) // the process was stopped between the handshake and its answer
      return
    }
    if (!again) this.#generation += 1
    this.#scheduleLease()
    this.#events.onAttached(connection)
    if (this.#connection !== connection) return
    this.states.become('connected', {
      sessionId: this.sessionId,
      generation: this.#generation,
      sessionTimeoutMs: this.#timeoutMs,
    })
    if (this.#connection === connection && this.states.current === 'connected')
      this.#events.onConnected(connection, again)
  }

  /**
   * A lease that ran out stays so, whatever comes in later: after the process was stopped, listeners hear that the session is
   * lost, and an answer that waited meanwhile is lost with its connection: a watch that it announces is gone already.
   */
  #onAnswered(sentAtMs: number): void {
    const lease = this.#lease
    if (lease === undefined) return
    if (lease.over(this.#clock.monotonicMs())) this.#onLeaseOver(lease)
    else lease.answered(sentAtMs)
  }

  #onDisconnected(connection: Connection | undefined, reason: string): void {
    if (this.#connection === connection) this.#connection = undefined
    this.#events.onDisconnected()
    if (this.#identity !== undefined && connection !== undefined) this.#zxid = connection.zxid
    if (this.states.current === 'connected') this.states.become('suspended', { reason })
  }

  #onLost(reason: string): void {
    this.#leaseTimer?.cancel()
    this.#lease = undefined
    this.#identity = undefined
    this.#zxid = undefined
    const notifyRest = this.#events.onLost(reason)
    if (this.states.current !== 'lost') this.states.become('lost', { reason })
    notifyRest()
  }

  #onLeaseOver(lease: Lease): void {
    const reason = `the lease of ${lease.timeoutMs} ms ran out`
    this.#abandoned = this.#identity
    this.#connection?.destroy(reason)
    this.#onLost(reason)
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
    if (lease.over(now)) {
      this.#onLeaseOver(lease)
      return
    }
    const connection = this.states.current === 'connected' ? this.#connection : undefined
    if (connection === undefined) return
    if (lease.silent(now)) {
      connection.destroy(`nothing was answered for ${Math.round((lease.timeoutMs * 2) / 3)} ms`)
    } else if (lease.pingDue(now)) {
      lease.pinged(now)
      connection.send(requests.ping, () => undefined)
    }
  }

  /** Closes the session of this connection; whether the server said so in time. */
  #farewell(connection: Connection, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const unlimit = limitWait(this.#clock, { signal, timeoutMs }, () => {
        resolve(false)
      })
      connection.send(requests.closeSession(), (answer) => {
        unlimit()
        resolve('value' in answer)
      })
    })
  }
}
