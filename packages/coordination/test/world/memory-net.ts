import { FakeClock, MemorySocket, type Message } from '@catchment/testing'
import type { Listener, Net, NetSocket } from './net.ts'

/** From one end of a connection to the other. */
const latencyMs = 0.5
const firstPort = 10_000
/** Virtual time that a story may take; what takes longer hangs. */
const storyMsMax = 600_000

/** Sockets in memory and virtual time: nothing that happens here depends on how busy the machine is. */
export class MemoryNet implements Net {
  readonly clock = new FakeClock()
  readonly #listeners = new Map<number, (socket: NetSocket) => void>()
  #nextPort = firstPort

  listen(onSocket: (socket: NetSocket) => void, port = this.#nextPort): Promise<Listener> {
    this.#nextPort = Math.max(this.#nextPort, port + 1)
    this.#listeners.set(port, onSocket)
    return Promise.resolve({
      port,
      close: () => {
        this.#listeners.delete(port)
        return Promise.resolve()
      },
    })
  }

  connect(port: number): NetSocket {
    const client: MemorySocket = new MemorySocket(
      '127.0.0.1',
      this.#way(() => server),
    )
    const server: MemorySocket = new MemorySocket(
      '127.0.0.1',
      this.#way(() => client),
    )
    this.clock.after(latencyMs, () => {
      const onSocket = this.#listeners.get(port)
      if (client.destroyed || onSocket === undefined) {
        client.destroy()
        return
      }
      onSocket(server)
      client.emit('connect')
    })
    return client
  }

  async run<T>(work: Promise<T>): Promise<T> {
    const state = { settled: false }
    const noted = work.finally(() => (state.settled = true))
    noted.catch(() => undefined) // it is given back below
    const untilMs = this.clock.monotonicMs() + storyMsMax
    await this.clock.advance(0)
    while (!state.settled) {
      if (await this.clock.step(untilMs)) continue
      if (this.clock.pendingTimers > 0) throw new Error(`the story hangs for ${storyMsMax} ms of virtual time`)
      await new Promise((resolve) => setImmediate(resolve)) // what it waits for now is no timer
    }
    return noted
  }

  /** One direction: keeps the order of what is sent, and brings together what is sent at one instant. */
  #way(to: () => MemorySocket): (message: Message) => void {
    let onTheWay: Message[] = []
    let sentAtMs = -1
    return (message) => {
      const now = this.clock.monotonicMs()
      if (sentAtMs === now && onTheWay.length > 0) {
        onTheWay.push(message)
        return
      }
      const messages = [message]
      onTheWay = messages
      sentAtMs = now
      this.clock.after(latencyMs, () => {
        for (const one of messages.splice(0)) to().hear(one)
      })
    }
  }
}
