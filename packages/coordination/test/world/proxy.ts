import type { Listener, Net, NetSocket } from './net.ts'

/**
 * A network between a session and its servers that can fail in the ways networks do.
 *
 * through: passes everything. stalled: accepts and passes nothing, keeps what comes for later. mute: passes requests, drops
 * every answer. refusing: closes what is open and whatever connects.
 */
export type Weather = 'through' | 'stalled' | 'mute' | 'refusing'

const notificationXid = -1

const writes = [1, 2, 5, 14, 15, 19, 20, 21]
const reads = [3, 4, 8, 9, 12, 22]
/** Opcodes of the protocol by what callers call them; several where a call may be sent in several ways. */
const opcodes = {
  write: writes,
  any: [...writes, ...reads],
  create: [1, 15, 19, 21],
  delete: [2, 20],
  exists: [3],
  get: [4],
  set: [5],
  children: [8, 12],
  sync: [9],
  multi: [14],
  setWatches: [101, 105],
} as const satisfies Record<string, readonly number[]>
/** Of a request: what to wait for, before something happens to it. */
export type RequestType = keyof typeof opcodes

/** What ZooKeeper answered to a handshake: who knows it may attach to the session. */
export interface Credentials {
  readonly sessionId: bigint
  readonly password: Buffer
}

interface Cut {
  readonly types: readonly number[]
  readonly when: 'before' | 'after'
  readonly happened: () => void
}

interface Pair {
  readonly client: NetSocket
  readonly server: NetSocket
  readonly port: number
  readonly held: (() => void)[]
  readonly asked: Packets
  readonly answered: Packets
  /** The request whose answer must not arrive. */
  doomed: { readonly xid: number; readonly cut: Cut } | undefined
}

export class Proxy {
  readonly #net: Net
  #listeners: readonly Listener[] = []
  readonly #pairs = new Set<Pair>()
  #weather: Weather = 'through'
  /** Called before each fault happens. */
  onFault: () => void = () => undefined
  #cuts: Cut[] = []
  #credentials: Credentials | undefined
  #notifications = 0

  private constructor(net: Net) {
    this.#net = net
  }

  /** Before each of the servers on these ports of loopback, a port of its own. */
  static async before(net: Net, ...targets: readonly number[]): Promise<Proxy> {
    const proxy = new Proxy(net)
    proxy.#listeners = await Promise.all(
      targets.map((target) =>
        net.listen((client) => {
          proxy.#accept(client, target)
        }),
      ),
    )
    return proxy
  }

  /** `127.0.0.1:PORT,127.0.0.1:PORT,…`: one for each server. */
  get address(): string {
    return this.#listeners.map(({ port }) => `127.0.0.1:${port}`).join(',')
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** The port of the server that the latest connection reaches. */
  get serving(): number | undefined {
    return [...this.#pairs].at(-1)?.port
  }

  /** How many events servers have reported: as many as the watches that they held and that fired. */
  get notifications(): number {
    return this.#notifications
  }

  /** Of the latest session that was granted through here. */
  get credentials(): Credentials {
    if (this.#credentials === undefined) throw new Error('no session was granted through this proxy')
    return this.#credentials
  }

  set weather(weather: Weather) {
    if (weather !== 'through') this.onFault()
    this.#weather = weather
    if (weather === 'refusing') this.cut()
    if (weather !== 'through') return
    for (const { held } of this.#pairs) for (const pass of held.splice(0)) pass()
  }

  cut(): void {
    this.onFault()
    for (const { client, server } of this.#pairs) {
      client.destroy()
      server.destroy()
    }
  }

  /** Cuts in place of the next request of this type: the server never has it. Resolves when it has happened. */
  cutBefore(type: RequestType): Promise<void> {
    return this.#cutAt(type, 'before')
  }

  /** Cuts in place of the answer to the next request of this type: the server has done it. Resolves when it has happened. */
  cutAfter(type: RequestType): Promise<void> {
    return this.#cutAt(type, 'after')
  }

  /** Sends bytes to the client as if the server had, then cuts: half a packet, or garbage. */
  inject(bytes: Uint8Array): void {
    this.onFault()
    for (const { client, server } of this.#pairs) {
      server.destroy()
      client.end(bytes)
    }
  }

  async close(): Promise<void> {
    this.cut()
    await Promise.all(this.#listeners.map((listener) => listener.close()))
  }

  #cutAt(type: RequestType, when: Cut['when']): Promise<void> {
    return new Promise((happened) => {
      this.#cuts.push({ types: opcodes[type], when, happened })
    })
  }

  #accept(client: NetSocket, port: number): void {
    if (this.#weather === 'refusing') {
      client.destroy()
      return
    }
    const server = this.#net.connect(port)
    const pair: Pair = {
      client,
      server,
      port,
      held: [],
      asked: new Packets(),
      answered: new Packets(),
      doomed: undefined,
    }
    this.#pairs.add(pair)
    const end = (): void => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('close', end).on('error', end)
    client.on('data', (bytes: Buffer) => {
      for (const packet of pair.asked.push(bytes)) if (this.#mayAsk(pair, packet)) this.#pass(pair, server, packet)
    })
    server.on('data', (bytes: Buffer) => {
      for (const packet of pair.answered.push(bytes))
        if (this.#mayAnswer(pair, packet) && this.#weather !== 'mute') this.#pass(pair, client, packet)
    })
  }

  /** Header of a request: length, xid, opcode. */
  #mayAsk(pair: Pair, packet: Buffer): boolean {
    if (pair.asked.isHandshake() || pair.doomed !== undefined) return true
    const [xid, type] = [packet.readInt32BE(4), packet.readInt32BE(8)]
    const cut = this.#cuts.find(({ types }) => types.includes(type))
    if (cut === undefined) return true
    this.#cuts = this.#cuts.filter((one) => one !== cut)
    pair.doomed = { xid, cut }
    if (cut.when === 'before') this.#doom(pair, cut)
    return cut.when === 'after'
  }

  /** Header of an answer: length, xid. Of the handshake: length, version, timeout, session id, password. */
  #mayAnswer(pair: Pair, packet: Buffer): boolean {
    if (pair.answered.isHandshake()) {
      const [sessionId, password] = [packet.readBigInt64BE(12), Buffer.from(packet.subarray(24, 40))]
      if (sessionId !== 0n) this.#credentials = { sessionId, password }
      return true
    }
    if (packet.readInt32BE(4) === notificationXid) this.#notifications += 1
    if (pair.doomed === undefined || packet.readInt32BE(4) !== pair.doomed.xid) return true
    this.#doom(pair, pair.doomed.cut)
    return false
  }

  /** What was written to the server before still arrives. */
  #doom(pair: Pair, cut: Cut): void {
    this.onFault()
    pair.client.destroy()
    pair.server.destroy()
    cut.happened()
  }

  #pass(pair: Pair, to: NetSocket, bytes: Uint8Array): void {
    const pass = (): void => {
      if (to.writable) to.write(bytes)
    }
    if (this.#weather === 'stalled') pair.held.push(pass)
    else pass()
  }
}

/** Cuts a stream into packets, each with its four bytes of length. */
class Packets {
  #bytes: Buffer = Buffer.alloc(0)
  #begun = false

  push(bytes: Buffer): Buffer[] {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    const packets: Buffer[] = []
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readInt32BE(0)
      if (this.#bytes.length < end) break
      packets.push(this.#bytes.subarray(0, end))
      this.#bytes = this.#bytes.subarray(end)
    }
    return packets
  }

  /** True once: the first packet of a stream is the handshake and has no header. */
  isHandshake(): boolean {
    const first = !this.#begun
    this.#begun = true
    return first
  }
}
