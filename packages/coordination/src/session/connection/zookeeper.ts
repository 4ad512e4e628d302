// The one file that knows node-zookeeper-client: a connection. Of the library it uses the handshake, the queue of packets with
// its back pressure, and their numbering; the rest is replaced on the instance (numbers are issues of its repository):
//
// - one library object lives for one TCP connection and never reconnects: nothing half received (#23), half queued or
//   expired carries over. Sessions are carried over by id and password, in keeper.ts
// - packets are cut, and answers read, by ours: the library throws on codes and types that it does not know (#36). Whatever
//   it throws ends the connection, not the process
// - pings are ours: the library sends none while it reads, and never looks whether they are answered (#20)
// - a connection that does not open within `openTimeoutMs` is given up (#57)
// - its queues shift arrays, which is quadratic in their length: calls.ts gives it no more than 1,000 packets at a time

import ConnectionManager from 'node-zookeeper-client/lib/ConnectionManager.js'
import { asError, type Clock, type Timer } from '@catchment/runtime'
import { errorCode, eventType, JuteReader, notificationXid, PacketReader } from '@catchment/zookeeper-wire'
import { serverError, ZooKeeperError } from '../contract/errors.ts'
import type { Answer, Request } from '../requests/requests.ts'
import type { ConnectSocket } from '../contract/session.ts'

/** A list of children may pass what a request may; past this it is garbage. */
const packetBytesMax = 64 << 20
/** Of an answer: length, number, transaction id, error. What follows is read by the request. */
const answerAt = { xid: 4, zxid: 8, error: 16, body: 20 }
/** The number of a request: after the length. */
const numberAt = 4
/**
 * Request numbers are 32 bits; they start again from 1 before they run out (#101). The library numbers a packet when it writes
 * it, so there must be room above this for all that can wait in its queue.
 */
export const xidMax = 2 ** 31 - 2 ** 20

const eventTypes: ReadonlyMap<number, ServerEvent['type']> = new Map([
  [eventType.created, 'created'],
  [eventType.deleted, 'deleted'],
  [eventType.dataChanged, 'changed'],
  [eventType.childrenChanged, 'children-changed'],
])

export interface SessionIdentity {
  readonly id: Buffer
  readonly password: Buffer
}

/** What the server granted, and when it was asked (monotonic): a lease counts from there. */
export interface Granted extends SessionIdentity {
  readonly sessionTimeoutMs: number
  readonly sentAtMs: number
}

/** What happened to which path, the server's name for it. */
export interface ServerEvent {
  readonly type: 'created' | 'deleted' | 'changed' | 'children-changed'
  readonly path: string
}

export interface ConnectionOptions {
  readonly server: { readonly host: string; readonly port: number }
  readonly connect: ConnectSocket
  readonly sessionTimeoutMs: number
  readonly openTimeoutMs: number
  /** The session to attach to; a new one unless given. */
  readonly identity?: SessionIdentity | undefined
  /** The last transaction that this session saw: a server that has not seen it refuses. */
  readonly zxid?: Buffer | undefined
  readonly clock: Clock
  /** The number of the first request; 1 unless given. */
  readonly firstXid?: number
}

export interface ConnectionEvents {
  onOpen(granted: Granted, connection: Connection): void
  onExpired(connection: Connection): void
  onWatch(event: ServerEvent): void
  /** A request that was sent at `sentAtMs` (monotonic) has its answer, delivered after this unless it ends the connection. */
  onAnswered(sentAtMs: number): void
  /** Once, and last. Every request in flight has been answered before with `connection-lost`. */
  onClosed(reason: string, connection: Connection): void
}

interface InFlight {
  readonly sentAtMs: number
  readonly answered: (code: number, packet: Buffer) => void
  readonly lost: (sent: boolean) => void
}

/** A packet in the library's queue. It numbers those that are not pings or credentials when it writes them. */
class Packet {
  readonly header: { readonly type: number; xid: number }
  readonly payload = null
  readonly #bytes: Buffer

  constructor({ type, xid = 0, packet }: Request<unknown>) {
    this.header = { type, xid }
    this.#bytes = packet
  }

  toBuffer(): Buffer {
    this.#bytes.writeInt32BE(this.header.xid, numberAt)
    return this.#bytes
  }
}

/** One TCP connection to one server. After onClosed it is dead. */
export class Connection {
  readonly #manager: ConnectionManager<Packet>
  readonly #readHandshake: (packet: Buffer) => void
  readonly #packets = new PacketReader(packetBytesMax)
  readonly #events: ConnectionEvents
  readonly #clock: Clock
  readonly #openTimer: Timer
  readonly #startedAtMs: number
  readonly #inFlight = new Map<Packet, InFlight>()
  /** Those in flight that share a number, by it, in the order in which they were sent. */
  readonly #unnumbered = new Map<number, Packet[]>()
  #state: 'open' | 'corked' | 'closed' = 'open'
  #reason = 'the server closed the connection'

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events
    this.#clock = options.clock
    this.#startedAtMs = options.clock.monotonicMs()
    const { server, identity } = options
    this.#manager = new ConnectionManager<Packet>(
      'unused:2181', // servers are chosen by the session, sockets opened by `connect`
      {
        sessionTimeout: options.sessionTimeoutMs,
        spinDelay: 0,
        ...(identity === undefined ? {} : { sessionId: identity.id, sessionPassword: identity.password }),
      },
      () => undefined,
    )
    this.#readHandshake = this.#manager.onSocketData.bind(this.#manager)
    if (options.zxid !== undefined) this.#manager.zxid = options.zxid
    this.#manager.xid = options.firstXid ?? 1
    this.#manager.onSocketTimeout = () => undefined
    this.#open(options.connect(server))
    this.#openTimer = this.#clock.after(options.openTimeoutMs, () => {
      this.destroy(`no session within ${Math.round(options.openTimeoutMs)} ms`)
    })
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  get zxid(): Buffer {
    return this.#manager.zxid
  }

  /** Sends; `done` is called exactly once, never from within this call. Packets of one tick leave in one write. */
  send<T>(request: Request<T>, done: (answer: Answer<T>) => void): void {
    if (this.#state === 'closed') {
      queueMicrotask(() => {
        done({ error: lost(request, false) })
      })
      return
    }
    const packet = new Packet(request)
    const sentAtMs = this.#clock.monotonicMs()
    this.#inFlight.set(packet, {
      sentAtMs,
      answered: (code, bytes) => {
        done(code === 0 ? readAnswer(request, bytes) : { error: serverError(code, request.attempt, request.hints) })
      },
      lost: (sent) => {
        done({ error: lost(request, sent) })
      },
    })
    if (request.xid !== undefined) this.#sharing(request.xid).push(packet)
    this.#cork()
    if (this.#manager.xid > xidMax) this.#manager.xid = 1
    this.#manager.queue(packet)
  }

  destroy(reason: string): void {
    if (this.#state === 'closed') return
    this.#reason = reason
    this.#manager.socket?.destroy()
    this.#onClosed()
  }

  /** In place of the library's connect(), which chooses the server and the kind of socket itself. */
  #open(socket: ReturnType<ConnectSocket>): void {
    const manager = this.#manager
    manager.setState(ConnectionManager.STATES.CONNECTING)
    manager.socket = socket
    socket.on('connect', () => {
      this.#guarded('the handshake cannot be sent', () => {
        manager.onSocketConnected()
      })
    })
    socket.on('drain', () => {
      this.#guarded('a request cannot be sent', () => {
        manager.onSocketDrain()
      })
    })
    socket.on('data', this.#onBytes.bind(this))
    socket.on('close', this.#onClosed.bind(this))
    socket.on('error', (error: Error) => {
      this.#reason = error.message === '' ? error.name : error.message
    })
  }

  #cork(): void {
    const { socket } = this.#manager
    if (this.#state !== 'open' || socket === undefined) return
    this.#state = 'corked'
    socket.cork()
    process.nextTick(() => {
      if (this.#state === 'corked') this.#state = 'open'
      socket.uncork()
    })
  }

  #onBytes(bytes: Buffer): void {
    this.#guarded('an answer cannot be read', () => {
      for (const packet of this.#packets.take(bytes)) {
        if (this.#state === 'closed') return
        if (this.#manager.state === ConnectionManager.STATES.CONNECTING) this.#onHandshake(packet)
        else this.#onPacket(packet)
      }
    })
  }

  #onHandshake(packet: Buffer): void {
    this.#readHandshake(packet)
    this.#openTimer.cancel()
    if (this.#manager.state !== ConnectionManager.STATES.CONNECTED) {
      this.#events.onExpired(this)
      return
    }
    this.#events.onOpen(
      {
        id: this.#manager.getSessionId(),
        password: this.#manager.getSessionPassword(),
        sessionTimeoutMs: this.#manager.getSessionTimeout(),
        sentAtMs: this.#startedAtMs,
      },
      this,
    )
  }

  #onPacket(bytes: Buffer): void {
    const xid = bytes.readInt32BE(answerAt.xid)
    if (xid === notificationXid) {
      this.#onNotification(new JuteReader(bytes, answerAt.body))
      return
    }
    const code = bytes.readInt32BE(answerAt.error)
    const packet = xid < 0 ? this.#sharing(xid).shift() : this.#numbered(xid, bytes)
    const inFlight = packet === undefined ? undefined : this.#inFlight.get(packet)
    if (packet === undefined || inFlight === undefined) throw new Error(`number ${xid} answers nothing that was asked`)
    this.#events.onAnswered(inFlight.sentAtMs)
    if (this.closed) return // it came too late and is lost, as the others in flight
    this.#inFlight.delete(packet)
    inFlight.answered(code, bytes)
    if (code === errorCode.sessionExpired) this.destroy('the session has expired')
  }

  /** The request that has this number: answers come in the order of the requests. */
  #numbered(xid: number, bytes: Buffer): Packet | undefined {
    const pending = this.#manager.pendingQueue[0]
    if (pending?.request.header.xid !== xid) throw new Error(`number ${xid} answers nothing that was asked`)
    // As the Java client: 0 and below are none.
    if (bytes.readBigInt64BE(answerAt.zxid) > 0n)
      this.#manager.zxid = Buffer.from(bytes.subarray(answerAt.zxid, answerAt.error))
    return this.#manager.pendingQueue.shift()?.request
  }

  #onNotification(reader: JuteReader): void {
    const type = eventTypes.get(reader.int())
    reader.int() // the state of the connection, which we know
    if (type !== undefined) this.#events.onWatch({ type, path: reader.string() })
  }

  #sharing(xid: number): Packet[] {
    const sharing = this.#unnumbered.get(xid) ?? []
    this.#unnumbered.set(xid, sharing)
    return sharing
  }

  #guarded(what: string, work: () => void): void {
    try {
      work()
    } catch (thrown) {
      this.destroy(`${what}: ${asError(thrown).message}`)
    }
  }

  #onClosed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#openTimer.cancel()
    const unsent = new Set(this.#manager.packetQueue.queue.map(({ request }) => request))
    const inFlight = [...this.#inFlight]
    this.#inFlight.clear()
    for (const [packet, { lost }] of inFlight) lost(!unsent.has(packet))
    this.#events.onClosed(this.#reason, this)
  }
}

function readAnswer<T>(request: Request<T>, bytes: Buffer): Answer<T> {
  try {
    return { value: request.read(new JuteReader(bytes, answerAt.body)) }
  } catch (thrown) {
    if (thrown instanceof ZooKeeperError) return { error: thrown }
    const why = `${request.attempt}: the answer cannot be read: ${asError(thrown).message}`
    return { error: new ZooKeeperError('server-error', why, { outcome: 'unknown', cause: thrown }) }
  }
}

function lost({ attempt, writes }: Request<unknown>, sent: boolean): ZooKeeperError {
  const unknown = writes && sent
  return new ZooKeeperError(
    'connection-lost',
    `${attempt}: the connection was lost before ${unknown ? 'the answer came' : 'it was done'}`,
    { outcome: unknown ? 'unknown' : 'not-done' },
  )
}
