import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A network between a session and its server that can fail in the ways networks do.
 *
 * through: passes everything. stalled: accepts and passes nothing, keeps what comes for later. mute: passes requests, drops
 * every answer. refusing: closes what is open and whatever connects.
 */
export type Weather = 'through' | 'stalled' | 'mute' | 'refusing'

interface Pair {
  readonly client: Socket
  readonly server: Socket
  readonly held: (() => void)[]
}

export class Proxy {
  readonly #target: number
  readonly #listener: Server
  readonly #pairs = new Set<Pair>()
  #weather: Weather = 'through'

  private constructor(target: number) {
    this.#target = target
    this.#listener = createServer((client) => {
      this.#accept(client)
    })
  }

  static async before(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve) => {
      proxy.#listener.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get address(): string {
    const address = this.#listener.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
    return `127.0.0.1:${address.port}`
  }

  get connections(): number {
    return this.#pairs.size
  }

  set weather(weather: Weather) {
    this.#weather = weather
    if (weather === 'refusing') this.cut()
    if (weather !== 'through') return
    for (const { held } of this.#pairs) for (const pass of held.splice(0)) pass()
  }

  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy()
      server.destroy()
    }
  }

  /** Sends bytes to the client as if the server had, then cuts: half a packet, or garbage. */
  inject(bytes: Uint8Array): void {
    for (const { client, server } of this.#pairs) {
      server.destroy()
      client.end(bytes)
    }
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => {
      this.#listener.close(() => {
        resolve()
      })
    })
  }

  #accept(client: Socket): void {
    if (this.#weather === 'refusing') {
      client.destroy()
      return
    }
    const server = connect(this.#target, '127.0.0.1')
    const pair: Pair = { client, server, held: [] }
    this.#pairs.add(pair)
    const end = (): void => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('close', end).on('error', end)
    client.on('data', (bytes) => {
      this.#pass(pair, server, bytes)
    })
    server.on('data', (bytes) => {
      if (this.#weather !== 'mute') this.#pass(pair, client, bytes)
    })
  }

  #pass(pair: Pair, to: Socket, bytes: Uint8Array): void {
    const pass = (): void => {
      if (to.writable) to.write(bytes)
    }
    if (this.#weather === 'stalled') pair.held.push(pass)
    else pass()
  }
}
