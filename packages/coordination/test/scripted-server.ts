import { createServer, type Server, type Socket } from 'node:net'
import { Frames } from '../src/session/frames.ts'
import { JuteWriter } from '../src/session/jute.ts'

/** A request as it came: its opcode, its number, and a way to answer. */
export interface Asked {
  readonly type: number
  readonly xid: number
  /** With an error code, 0 for none, and what follows the header. */
  readonly answer: (code: number, body?: (writer: JuteWriter) => unknown) => void
  readonly hangUp: () => void
}

/** A server that says what a real one would not, or not on demand. Unless told otherwise it agrees to everything. */
export class ScriptedServer {
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()
  /** Opcodes of the requests of each connection, pings left out. */
  readonly connections: number[][] = []
  onRequest: (asked: Asked) => void = (asked) => {
    asked.answer(0)
  }
  /** `grant` may be called later, or never. */
  onHandshake: (grant: (sessionTimeoutMs: number) => void) => void = (grant) => {
    grant(5_000)
  }

  /** Takes connections and bytes, and answers nothing. */
  deaf = false

  private constructor() {
    this.#listener = createServer((socket) => {
      this.#accept(socket)
    })
  }

  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer()
    await new Promise<void>((resolve) => server.#listener.listen(0, '127.0.0.1', resolve))
    return server
  }

  get address(): string {
    const address = this.#listener.address()
    if (address === null || typeof address === 'string') throw new Error('the server does not listen')
    return `127.0.0.1:${address.port}`
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    await new Promise((resolve) => this.#listener.close(resolve))
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    const frames = new Frames(2 << 20)
    const asked: number[] = []
    this.connections.push(asked)
    let greeted = false
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined)
    socket.on('data', (bytes) => {
      if (this.deaf) return
      for (const packet of frames.push(bytes)) {
        if (greeted) this.#request(socket, packet, asked)
        else
          this.onHandshake((sessionTimeoutMs) => {
            const id = sessionTimeoutMs === 0 ? 0n : 7n
            socket.write(
              new JuteWriter().int(0).int(0).int(sessionTimeoutMs).long(id).buffer(Buffer.alloc(16)).packet(),
            )
          })
        greeted = true
      }
    })
  }

  #request(socket: Socket, packet: Buffer, asked: number[]): void {
    const [xid, type] = [packet.readInt32BE(4), packet.readInt32BE(8)]
    const answer = (code: number, body?: (writer: JuteWriter) => unknown): void => {
      const writer = new JuteWriter().int(0).int(xid).long(1n).int(code)
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
