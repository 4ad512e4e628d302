import { realRandom, type Clock } from '@catchment/runtime'
import { JuteWriter, PacketReader } from '@catchment/zookeeper-wire'
import { openSession } from '../../src/session/live-session.ts'
import type { SessionOptions, ZooKeeperSession } from '../../src/session/contract/session.ts'
import { MemoryNet } from './memory-net.ts'
import type { Listener, Net, NetSocket } from './net.ts'

/** A request as it came: its opcode, its number, and a way to answer. */
export interface Asked {
  readonly type: number
  readonly xid: number
  /** With an error code, 0 for none, and what follows the header. */
  readonly answer: (code: number, body?: (writer: JuteWriter) => unknown) => void
  readonly hangUp: () => void
}

/** A server that says what a real one would not, or not on demand. Unless configured otherwise it agrees to everything. */
export class ScriptedServer {
  #listener: Listener | undefined
  readonly #sockets = new Set<NetSocket>()
  /** Opcodes of the requests of each connection, pings left out. */
  readonly connections: number[][] = []
  /** What each connection said that it has seen: the number of a transaction. */
  readonly seen: bigint[] = []
  /** What answers say is the latest transaction. */
  zxid = 1n
  onRequest: (asked: Asked) => void = (asked) => {
    asked.answer(0)
  }
  /** `grant` may be called later, or never. */
  onHandshake: (grant: (sessionTimeoutMs: number) => void) => void = (grant) => {
    grant(5_000)
  }

  /** Takes connections and bytes, and answers nothing. */
  deaf = false

  static async start(net: Net): Promise<ScriptedServer> {
    const server = new ScriptedServer()
    server.#listener = await net.listen((socket) => {
      server.#accept(socket)
    })
    return server
  }

  get address(): string {
    return `127.0.0.1:${this.#listener?.port ?? 0}`
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    await this.#listener?.close()
  }

  #accept(socket: NetSocket): void {
    this.#sockets.add(socket)
    const packets = new PacketReader(2 << 20)
    const asked: number[] = []
    this.connections.push(asked)
    let greeted = false
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      if (this.deaf) return
      for (const packet of packets.take(bytes)) {
        if (greeted) this.#request(socket, packet, asked)
        else this.#greet(socket, packet)
        greeted = true
      }
    })
  }

  #greet(socket: NetSocket, packet: Buffer): void {
    this.seen.push(packet.readBigInt64BE(8))
    this.onHandshake((sessionTimeoutMs) => {
      const id = sessionTimeoutMs === 0 ? 0n : 7n
      socket.write(new JuteWriter().int(0).int(0).int(sessionTimeoutMs).long(id).buffer(Buffer.alloc(16)).packet())
    })
  }

  #request(socket: NetSocket, packet: Buffer, asked: number[]): void {
    const [xid, type] = [packet.readInt32BE(4), packet.readInt32BE(8)]
    const answer = (code: number, body?: (writer: JuteWriter) => unknown): void => {
      const writer = new JuteWriter().int(0).int(xid).long(this.zxid).int(code)
      body?.(writer)
      socket.write(writer.packet())
    }
    if (xid === -2) {
      answer(0)
      return
    }
    asked.push(type)
    this.onRequest({ type, xid, answer, hangUp: () => socket.destroy() })
  }
}

export interface Scripted {
  readonly server: ScriptedServer
  readonly second: ScriptedServer
  readonly clock: Clock
  readonly open: (options?: Partial<SessionOptions>) => Promise<ZooKeeperSession>
}

/**
 * Runs `story` with two such servers, and sessions that know the first unless configured otherwise, in virtual time. Closes whatever
 * it opened.
 */
export function scripted(story: (world: Scripted) => Promise<void>): () => Promise<void> {
  return () => {
    const net = new MemoryNet()
    return net.run(playScripted(net, story))
  }
}

async function playScripted(net: Net, story: (world: Scripted) => Promise<void>): Promise<void> {
  const servers = [await ScriptedServer.start(net), await ScriptedServer.start(net)] as const
  const [server, second] = servers
  const opened: ZooKeeperSession[] = []
  try {
    await story({
      server,
      second,
      clock: net.clock,
      open: async (options = {}) => {
        const session = await openSession({
          servers: server.address,
          sessionTimeoutMs: 5_000,
          clock: net.clock,
          random: { ...realRandom, float: () => 0 },
          connect: ({ port }) => net.connect(port),
          ...options,
        })
        opened.push(session)
        return session
      },
    })
  } finally {
    for (const session of opened) await session.close({ timeoutMs: 1 })
    for (const one of servers) await one.close()
  }
}
