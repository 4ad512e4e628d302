// A ZooKeeper client as thin as can be: it shows each packet as it comes, in order, and hides nothing.

import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { JuteReader, JuteWriter, opcode } from '@catchment/zookeeper-wire'

export interface Reply {
  readonly kind: 'reply'
  readonly xid: number
  readonly zxid: bigint
  readonly error: number
  readonly body: JuteReader
}

export interface Notification {
  readonly kind: 'notification'
  readonly type: number
  readonly path: string
}

export interface Session {
  readonly sessionId: bigint
  readonly password: Buffer
  readonly timeoutMs: number
}

export interface Handshake {
  readonly timeoutMs?: number
  readonly sessionId?: bigint
  readonly password?: Buffer
  readonly lastZxidSeen?: bigint
}

export const openAcl = [{ permissions: 31, scheme: 'world', id: 'anyone' }] as const
export const mode = {
  persistent: 0,
  ephemeral: 1,
  sequential: 2,
  ephemeralSequential: 3,
  container: 4,
  ttl: 5,
  ttlSequential: 6,
} as const

export class RawClient {
  readonly packets: (Reply | Notification)[] = []
  readonly closed: Promise<void>
  session: Session = { sessionId: 0n, password: Buffer.alloc(16), timeoutMs: 0 }
  readonly #socket: Duplex
  #bytes: Buffer = Buffer.alloc(0)
  #isClosed = false
  #nextXid = 1
  readonly #waiters = new Set<() => void>()
  #handshaken = false

  /** `to`: a port of loopback, or a socket that connects or is connected. */
  constructor(to: number | Duplex) {
    this.#socket = typeof to === 'number' ? connect({ port: to, host: '127.0.0.1', noDelay: true }) : to
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', () => {
        this.#isClosed = true
        resolve()
        this.#wake()
      })
    })
    this.#socket.on('error', () => undefined) // 'close' follows
    this.#socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#cut()
      this.#wake()
    })
  }

  /** Connects and shakes hands. Rejects when the server closes instead. */
  static async open(to: number | Duplex, handshake: Handshake = {}): Promise<RawClient> {
    const client = new RawClient(to)
    client.shakeHands(handshake)
    await client.until(() => client.#handshaken)
    return client
  }

  get notifications(): Notification[] {
    return this.packets.filter((packet) => packet.kind === 'notification')
  }

  shakeHands({ timeoutMs = 10_000, sessionId = 0n, password, lastZxidSeen = 0n }: Handshake): void {
    const writer = new JuteWriter().int(0).long(lastZxidSeen).int(timeoutMs).long(sessionId)
    this.packet(
      writer
        .buffer(password ?? Buffer.alloc(16))
        .bool(false)
        .end(),
    )
  }

  /** Sends bytes as they are. */
  raw(bytes: Buffer | string): void {
    this.#socket.write(bytes)
  }

  packet(bytes: Buffer): void {
    const length = Buffer.alloc(4)
    length.writeInt32BE(bytes.length)
    this.raw(Buffer.concat([length, bytes]))
  }

  /** Sends a request and waits for its reply. Rejects when the connection closes before it. */
  async request(type: number, body?: (writer: JuteWriter) => void): Promise<Reply> {
    const xid = type === opcode.ping ? -2 : this.#nextXid++
    const writer = new JuteWriter().int(xid).int(type)
    body?.(writer)
    const seen = this.packets.length
    this.packet(writer.end())
    const find = (): Reply | undefined =>
      this.packets.slice(seen).find((one) => one.kind === 'reply' && one.xid === xid) as Reply | undefined
    await this.until(() => find() !== undefined)
    const reply = find()
    if (reply === undefined) throw new Error('unreachable')
    return reply
  }

  create(path: string, options: { mode?: number; data?: string } = {}): Promise<Reply> {
    return this.request(opcode.create, (writer) => {
      writeCreate(writer, path, options)
    })
  }

  remove(path: string, version = -1): Promise<Reply> {
    return this.request(opcode.delete, (writer) => writer.string(path).int(version))
  }

  setData(path: string, data: string, version = -1): Promise<Reply> {
    return this.request(opcode.setData, (writer) => writer.string(path).buffer(Buffer.from(data)).int(version))
  }

  exists(path: string, watch = false): Promise<Reply> {
    return this.request(opcode.exists, (writer) => writer.string(path).bool(watch))
  }

  getData(path: string, watch = false): Promise<Reply> {
    return this.request(opcode.getData, (writer) => writer.string(path).bool(watch))
  }

  getChildren(path: string, watch = false): Promise<Reply> {
    return this.request(opcode.getChildren, (writer) => writer.string(path).bool(watch))
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#isClosed) throw new Error('the server closed the connection')
      await new Promise<void>((resolve) => this.#waiters.add(resolve))
    }
  }

  /** Lets the server's bytes pile up; undone by `readAgain`. */
  stopReading(): void {
    this.#socket.pause()
  }

  readAgain(): void {
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
  }

  #cut(): void {
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readInt32BE()
      if (this.#bytes.length < end) return
      const reader = new JuteReader(Buffer.from(this.#bytes.subarray(4, end)))
      this.#bytes = this.#bytes.subarray(end)
      if (this.#handshaken) this.packets.push(readPacket(reader))
      else this.session = readSession(reader)
      this.#handshaken = true
    }
  }
}

function readSession(reader: JuteReader): Session {
  reader.int()
  const [timeoutMs, sessionId] = [reader.int(), reader.long()]
  return { timeoutMs, sessionId, password: Buffer.from(reader.buffer() ?? []) }
}

function readPacket(reader: JuteReader): Reply | Notification {
  const [xid, zxid, error] = [reader.int(), reader.long(), reader.int()]
  if (xid !== -1) return { kind: 'reply', xid, zxid, error, body: reader }
  const type = reader.int()
  reader.int()
  return { kind: 'notification', type, path: reader.string() }
}

export function writeCreate(
  writer: JuteWriter,
  path: string,
  options: { mode?: number; data?: string; acl?: readonly { permissions: number; scheme: string; id: string }[] },
): void {
  const acl = options.acl ?? openAcl
  writer.string(path).buffer(Buffer.from(options.data ?? ''))
  writer.vector(acl, acl.length, ({ permissions, scheme, id }) => writer.int(permissions).string(scheme).string(id))
  writer.int(options.mode ?? mode.persistent)
}

export interface WireStat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: bigint
}

export function readStat(reader: JuteReader): WireStat {
  const [czxid, mzxid] = [reader.long(), reader.long()]
  reader.long()
  reader.long()
  const [version, cversion, aversion] = [reader.int(), reader.int(), reader.int()]
  const [ephemeralOwner, dataLength, numChildren] = [reader.long(), reader.int(), reader.int()]
  return { czxid, mzxid, version, cversion, aversion, ephemeralOwner, dataLength, numChildren, pzxid: reader.long() }
}
