// The one file that knows node-zookeeper-client. Of the library it uses the socket set-up, the queue, and the encoding;
// the rest is replaced on the instance, because (numbers are issues of its repository):
//
// - one library object lives for one TCP connection and never reconnects: nothing half received (#23), half queued or
//   expired carries over. Sessions are carried over by id and password, in live-session.ts
// - packets are cut and their headers read here, errors never enter the library, which throws on codes it does not know
//   (#36); whatever it throws on the way ends the connection, not the process
// - pings are ours: the library sends none while it reads, and never looks whether they are answered (#20)
// - a connection that does not open within `openTimeoutMs` is given up (#57)
// - requests are built from the library's records: its transactions turn version 0 into "any" (#67), and it has no sync

import ACL from 'node-zookeeper-client/lib/ACL.js'
import ConnectionManager from 'node-zookeeper-client/lib/ConnectionManager.js'
import jute from 'node-zookeeper-client/lib/jute/index.js'
import type {
  JuteOperation,
  JutePayload,
  JuteRecord,
  JuteRequest,
  JuteStat,
} from 'node-zookeeper-client/lib/jute/index.js'
import { asError, type Clock, type Timer } from '@catchment/runtime'
import { serverError, ZooKeeperError } from './errors.ts'
import { Frames } from './frames.ts'
import type { ConnectSocket, CreateMode, Operation, Stat, Version, WatchEvent } from './session.ts'
import {
  connectionLossCode,
  createFlags,
  eventTypes,
  notificationXid,
  pingXid,
  versionNumber,
  xidMax,
} from './wire-numbers.ts'

/** Servers drop the connection, and with it all in flight, when a request passes jute.maxbuffer (1 MiB less a little). */
export const requestBytesMax = 1_048_000
/** A list of children may pass what a request may; past this it is garbage. */
const packetBytesMax = 64 << 20

const openAcl = ACL.OPEN_ACL_UNSAFE.map((acl) => acl.toRecord())

/** A request and how its answer is read. `attempt` is what errors say: "create /a". */
export interface Request<T> {
  readonly attempt: string
  readonly writes: boolean
  readonly bytes: number
  readonly packet: JuteRequest
  readonly read: (payload: JutePayload) => T
}

export type Answer<T> = { readonly value: T } | { readonly error: ZooKeeperError }

export const requests = {
  create: (path: string, data: Uint8Array, mode: CreateMode): Request<string> =>
    request(
      { attempt: `create ${path}`, writes: true, type: jute.OP_CODES.CREATE },
      new jute.protocol.CreateRequest(path, bufferOf(data), openAcl, createFlags[mode]),
      (payload) => present(payload.path),
    ),
  get: (path: string, watch: boolean): Request<{ data: Buffer; stat: Stat }> =>
    request(
      { attempt: `get ${path}`, writes: false, type: jute.OP_CODES.GET_DATA },
      new jute.protocol.GetDataRequest(path, watch),
      (payload) => ({ data: payload.data ?? Buffer.alloc(0), stat: statOf(payload.stat) }),
    ),
  set: (path: string, data: Uint8Array, version: Version): Request<Stat> =>
    request(
      { attempt: `set ${path}`, writes: true, type: jute.OP_CODES.SET_DATA },
      new jute.protocol.SetDataRequest(path, bufferOf(data), versionNumber(version)),
      (payload) => statOf(payload.stat),
    ),
  delete: (path: string, version: Version): Request<void> =>
    request(
      { attempt: `delete ${path}`, writes: true, type: jute.OP_CODES.DELETE },
      new jute.protocol.DeleteRequest(path, versionNumber(version)),
      () => undefined,
    ),
  exists: (path: string, watch: boolean): Request<Stat> =>
    request(
      { attempt: `exists ${path}`, writes: false, type: jute.OP_CODES.EXISTS },
      new jute.protocol.ExistsRequest(path, watch),
      (payload) => statOf(payload.stat),
    ),
  children: (path: string, watch: boolean): Request<{ names: string[]; stat: Stat }> =>
    request(
      { attempt: `children ${path}`, writes: false, type: jute.OP_CODES.GET_CHILDREN2 },
      new jute.protocol.GetChildren2Request(path, watch),
      (payload) => ({ names: payload.children ?? [], stat: statOf(payload.stat) }),
    ),
  sync: (path: string): Request<void> =>
    request(
      { attempt: `sync ${path}`, writes: false, type: jute.OP_CODES.SYNC },
      new jute.protocol.CreateResponse(path),
      () => undefined,
    ),
  multi: (operations: readonly Operation[]): Request<void> => {
    const attempt = `multi of ${operations.map(({ op, path }) => `${op} ${path}`).join(', ')}`.slice(0, 500)
    return request(
      { attempt, writes: true, type: jute.OP_CODES.MULTI },
      new jute.TransactionRequest(operations.map(libraryOperation)),
      (payload) => {
        throwFirstFailure(attempt, payload)
      },
    )
  },
  setWatches: (zxid: Buffer, watches: WatchedPaths): Request<void> =>
    request(
      { attempt: 'restore watches', writes: false, type: jute.OP_CODES.SET_WATCHES },
      new jute.protocol.SetWatches(zxid, watches.data, watches.exist, watches.child),
      () => undefined,
    ),
  closeSession: (): Request<void> =>
    request({ attempt: 'close the session', writes: true, type: jute.OP_CODES.CLOSE_SESSION }, null, () => undefined),
}

export interface WatchedPaths {
  readonly data: readonly string[]
  readonly exist: readonly string[]
  readonly child: readonly string[]
}

export interface SessionIdentity {
  readonly id: Buffer
  readonly password: Buffer
}

/** What the server granted, and when it was asked (monotonic): a lease counts from there. */
export interface Granted extends SessionIdentity {
  readonly sessionTimeoutMs: number
  readonly sentAtMs: number
}

export interface ConnectionOptions {
  readonly server: { readonly host: string; readonly port: number }
  readonly connect: ConnectSocket
  readonly sessionTimeoutMs: number
  readonly openTimeoutMs: number
  /** The session to attach to; a new one unless given. */
  readonly identity?: SessionIdentity | undefined
  /** The last transaction that this session saw: a server that is behind it refuses. */
  readonly zxid?: Buffer | undefined
  readonly clock: Clock
}

export interface ConnectionEvents {
  onOpen(granted: Granted): void
  onExpired(): void
  onWatch(event: WatchEvent): void
  /** A request or ping that was sent at `sentAtMs` (monotonic) has its answer. */
  onAnswered(sentAtMs: number): void
  /** Once, and last. Every request in flight has been answered before with `connection-lost`. */
  onClosed(reason: string): void
}

/** One TCP connection to one server. After onClosed it is dead. */
export class Connection {
  readonly #manager: ConnectionManager
  readonly #readAnswer: (packet: Buffer) => void
  readonly #frames = new Frames(packetBytesMax)
  readonly #events: ConnectionEvents
  readonly #clock: Clock
  readonly #openTimer: Timer
  readonly #startedAtMs: number
  readonly #pingsSentAtMs: number[] = []
  readonly #inFlight = new Map<JuteRequest, (code: number, sent: boolean) => void>()
  #closed = false
  #reason = 'the server closed the connection'

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events
    this.#clock = options.clock
    this.#startedAtMs = options.clock.monotonicMs()
    const { server, identity } = options
    this.#manager = new ConnectionManager(
      'unused:2181', // servers are chosen by the session, sockets opened by `connect`
      {
        sessionTimeout: options.sessionTimeoutMs,
        spinDelay: 0,
        ...(identity === undefined ? {} : { sessionId: identity.id, sessionPassword: identity.password }),
      },
      () => undefined,
    )
    this.#readAnswer = this.#manager.onSocketData.bind(this.#manager)
    if (options.zxid !== undefined) this.#manager.zxid = options.zxid
    this.#manager.onSocketTimeout = () => undefined
    this.#openTimer = this.#clock.after(options.openTimeoutMs, () => {
      this.destroy(`no session within ${Math.round(options.openTimeoutMs)} ms`)
    })
    this.#open(options.connect(server))
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  get zxid(): Buffer {
    return this.#manager.zxid
  }

  /** Sends; `done` is called exactly once, never from within this call. */
  send<T>(request: Request<T>, done: (answer: Answer<T>) => void): void {
    const sentAtMs = this.#clock.monotonicMs()
    this.#inFlight.set(request.packet, (code, sent) => {
      this.#inFlight.delete(request.packet)
      done({ error: lost(request, code, sent) })
    })
    if (this.#manager.xid > xidMax) this.#manager.xid = 1
    this.#manager.queue(request.packet, (error, response) => {
      this.#inFlight.delete(request.packet)
      this.#events.onAnswered(sentAtMs)
      done(
        error === null
          ? readAnswer(request, response?.payload ?? {})
          : { error: serverError(error.code, request.attempt) },
      )
    })
  }

  ping(): void {
    this.#pingsSentAtMs.push(this.#clock.monotonicMs())
    const header = new jute.protocol.RequestHeader(pingXid, jute.OP_CODES.PING)
    this.#manager.queue(new jute.Request(header, null))
  }

  destroy(reason: string): void {
    if (this.#closed) return
    this.#reason = reason
    this.#manager.socket?.destroy()
    this.#onClosed()
  }

  /** In place of the library's connect(), which chooses the server and the kind of socket itself. */
  #open(socket: ReturnType<ConnectSocket>): void {
    const manager = this.#manager
    manager.setState(ConnectionManager.STATES.CONNECTING)
    manager.socket = socket
    socket.on('connect', manager.onSocketConnected.bind(manager))
    socket.on('drain', manager.onSocketDrain.bind(manager))
    socket.on('data', this.#onBytes.bind(this))
    socket.on('close', this.#onClosed.bind(this))
    socket.on('error', (error: Error) => {
      this.#reason = error.message === '' ? error.name : error.message
    })
  }

  #onBytes(bytes: Buffer): void {
    if (this.#closed) return
    try {
      for (const packet of this.#frames.push(bytes)) {
        if (this.#manager.state === ConnectionManager.STATES.CONNECTING) this.#onHandshake(packet)
        else this.#onPacket(packet)
      }
    } catch (thrown) {
      this.destroy(`an answer cannot be read: ${asError(thrown).message}`)
    }
  }

  #onHandshake(packet: Buffer): void {
    this.#readAnswer(packet)
    this.#openTimer.cancel()
    if (this.#manager.state !== ConnectionManager.STATES.CONNECTED) {
      this.#events.onExpired()
      return
    }
    this.#events.onOpen({
      id: this.#manager.getSessionId(),
      password: this.#manager.getSessionPassword(),
      sessionTimeoutMs: this.#manager.getSessionTimeout(),
      sentAtMs: this.#startedAtMs,
    })
  }

  // Header of an answer: length, xid (-1 notification, -2 ping), zxid, error.
  #onPacket(packet: Buffer): void {
    const xid = packet.readInt32BE(4)
    if (xid === notificationXid) {
      this.#onNotification(packet)
      return
    }
    if (xid === pingXid) {
      const sentAtMs = this.#pingsSentAtMs.shift()
      if (sentAtMs !== undefined) this.#events.onAnswered(sentAtMs)
      return
    }
    const pending = this.#manager.pendingQueue[0]
    if (pending?.request.header.xid !== xid) throw new Error(`xid ${xid} answers nothing that was asked`)
    const code = packet.readInt32BE(16)
    this.#manager.zxid = Buffer.from(packet.subarray(8, 16))
    if (code === 0 && pending.request.header.type !== jute.OP_CODES.SYNC) {
      this.#readAnswer(packet)
      return
    }
    this.#manager.pendingQueue.shift()
    pending.callback(code === 0 ? null : { code })
  }

  #onNotification(packet: Buffer): void {
    const event = new jute.protocol.WatcherEvent()
    event.deserialize(packet, 20)
    const type = eventTypes.get(event.type)
    if (type !== undefined && event.path !== undefined) this.#events.onWatch({ type, path: event.path })
  }

  #onClosed(): void {
    if (this.#closed) return
    this.#closed = true
    this.#openTimer.cancel()
    const unsent = new Set(this.#manager.packetQueue.queue.map((packet) => packet.request))
    for (const [packet, fail] of [...this.#inFlight]) fail(connectionLossCode, !unsent.has(packet))
    this.#events.onClosed(this.#reason)
  }
}

function request<T>(
  about: { attempt: string; writes: boolean; type: number },
  payload: JuteRecord | null,
  read: (payload: JutePayload) => T,
): Request<T> {
  const header = new jute.protocol.RequestHeader(0, about.type)
  const bytes = header.byteLength() + (payload?.byteLength() ?? 0)
  return { attempt: about.attempt, writes: about.writes, bytes, packet: new jute.Request(header, payload), read }
}

function readAnswer<T>(request: Request<T>, payload: JutePayload): Answer<T> {
  try {
    return { value: request.read(payload) }
  } catch (thrown) {
    if (thrown instanceof ZooKeeperError) return { error: thrown }
    return {
      error: new ZooKeeperError('server-error', `${request.attempt}: answer without ${asError(thrown).message}`, {
        outcome: 'unknown',
      }),
    }
  }
}

function lost(request: Request<unknown>, code: number, sent: boolean): ZooKeeperError {
  if (request.writes && sent) return serverError(code, request.attempt)
  return new ZooKeeperError('connection-lost', `${request.attempt}: the connection was lost before it was done`)
}

// In a failed transaction the operations before the culprit carry error 0, it its own, those after it -2.
function throwFirstFailure(attempt: string, payload: JutePayload): void {
  const results = payload.results ?? []
  const index = results.findIndex((result) => result.type === jute.OP_CODES.ERROR && (result.err ?? 0) !== 0)
  if (index >= 0) throw serverError(results[index]?.err ?? 0, attempt, index)
}

function libraryOperation(operation: Operation): JuteOperation {
  const { path } = operation
  switch (operation.op) {
    case 'create':
      return {
        type: jute.OP_CODES.CREATE,
        path,
        data: Buffer.from(operation.data), // the library copies in `set` only
        acls: ACL.OPEN_ACL_UNSAFE,
        mode: createFlags[operation.mode ?? 'persistent'],
      }
    case 'set':
      return {
        type: jute.OP_CODES.SET_DATA,
        path,
        data: bufferOf(operation.data),
        version: versionNumber(operation.version),
      }
    case 'delete':
      return { type: jute.OP_CODES.DELETE, path, version: versionNumber(operation.version) }
    case 'check':
      return { type: jute.OP_CODES.CHECK, path, version: versionNumber(operation.version) }
  }
}

function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function statOf(stat: JuteStat | undefined): Stat {
  const from = present(stat)
  const owner = from.ephemeralOwner.toString('hex')
  return {
    version: from.version,
    cversion: from.cversion,
    aversion: from.aversion,
    dataLength: from.dataLength,
    numChildren: from.numChildren,
    ephemeralOwner: /^0+$/.test(owner) ? undefined : owner,
    czxid: from.czxid.toString('hex'),
    mzxid: from.mzxid.toString('hex'),
    pzxid: from.pzxid.toString('hex'),
    ctimeMs: Number(from.ctime.readBigInt64BE(0)),
    mtimeMs: Number(from.mtime.readBigInt64BE(0)),
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('what was asked for')
  return value
}
