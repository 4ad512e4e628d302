import type { Clock, Random } from '@catchment/runtime'
import type { ServerSocket } from '@catchment/embedded-zookeeper'
import { MemorySocket, type Message } from '@catchment/testing'

type Side = 'client' | 'server'

/** A connection between one member and the server. Each direction keeps its order, whatever the delays. */
interface Link {
  readonly client: MemorySocket
  readonly server: MemorySocket
  readonly arrivesAtMs: Record<Side, number>
  readonly held: { readonly to: Side; readonly message: Message }[]
  cut: boolean
}

/** A cut that waits for its moment: before the server hears the next write, or after it has heard and before its answer is heard. */
export type Trap = 'before-request' | 'before-answer'

const latencyMsMax = 4
const writes: ReadonlySet<number> = new Set([1, 2, 5, 14, 15, 19, 20, 21, -11])

/** What lies between one member and the server: it delays, holds back, cuts, and springs traps. */
export class Network {
  readonly #clock: Clock
  readonly #random: Random
  readonly #accept: () => ((socket: ServerSocket) => void) | undefined
  readonly #links = new Set<Link>()
  /** Ends of connections that were cut while their member was stopped: it hears of it when it goes on. */
  readonly #unheard: MemorySocket[] = []
  #weather: 'through' | 'held' | 'refusing' = 'through'
  #listening = true
  #trap: { readonly kind: Trap; readonly onSprung: () => void; sprungBy: Link | undefined } | undefined

  /** `accept`: how the server is reached at this instant, undefined while it is down. */
  constructor(clock: Clock, random: Random, accept: () => ((socket: ServerSocket) => void) | undefined) {
    this.#clock = clock
    this.#random = random
    this.#accept = accept
  }

  connect(): MemorySocket {
    const link: Link = {
      client: new MemorySocket('server', (message) => {
        this.#send(link, 'server', message)
      }),
      server: new MemorySocket('member', (message) => {
        this.#send(link, 'client', message)
      }),
      arrivesAtMs: { client: 0, server: 0 },
      held: [],
      cut: false,
    }
    this.#clock.after(this.#latencyMs(), () => {
      const accept = this.#accept()
      if (this.#weather === 'refusing' || accept === undefined) {
        this.#cut(link)
        return
      }
      if (link.client.destroyed || this.#weather === 'held' || !this.#listening) return
      this.#links.add(link)
      accept(link.server)
      link.client.emit('connect')
    })
    return link.client
  }

  /** Held: what is sent arrives when it is `through` again, late. Refusing: everything is cut, nothing connects. */
  set weather(weather: 'through' | 'held' | 'refusing') {
    this.#weather = weather
    if (weather === 'refusing') this.cut()
    if (weather === 'through') this.#release()
  }

  /** False while the member is stopped: what is sent to it waits, what it has sent is on its way. */
  set listening(listening: boolean) {
    this.#listening = listening
    this.#release()
  }

  cut(): void {
    for (const link of this.#links) this.#cut(link)
  }

  lay(kind: Trap, onSprung: () => void): void {
    this.#trap = { kind, onSprung, sprungBy: undefined }
  }

  disarm(): void {
    this.#trap = undefined
  }

  #send(link: Link, to: Side, message: Message): void {
    if (link.cut) return
    const now = this.#clock.monotonicMs()
    link.arrivesAtMs[to] = Math.max(link.arrivesAtMs[to], now + this.#latencyMs())
    this.#clock.after(link.arrivesAtMs[to] - now, () => {
      this.#arrive(link, to, message)
    })
  }

  #arrive(link: Link, to: Side, message: Message): void {
    if (link.cut) return
    const waits = this.#weather === 'held' || (to === 'client' && !this.#listening)
    if (waits || link.held.some((other) => other.to === to)) {
      link.held.push({ to, message })
      return
    }
    if (message !== 'end' && this.#springs(link, to, message.packet)) {
      this.#cut(link)
      return
    }
    if (message === 'end') this.#links.delete(link)
    link[to].hear(message)
  }

  #release(): void {
    if (this.#listening) for (const client of this.#unheard.splice(0)) client.destroy()
    for (const link of this.#links) {
      const held = link.held.splice(0)
      for (const { to, message } of held) this.#arrive(link, to, message)
    }
  }

  #springs(link: Link, to: Side, packet: Buffer): boolean {
    const trap = this.#trap
    if (trap === undefined || packet.length < 12) return false
    if (trap.sprungBy === undefined) {
      const isWrite = to === 'server' && packet.readInt32BE(4) > 0 && writes.has(packet.readInt32BE(8))
      if (!isWrite) return false
      if (trap.kind === 'before-answer') {
        trap.sprungBy = link
        return false
      }
    } else if (trap.sprungBy !== link || to !== 'client' || packet.readInt32BE(4) <= 0) return false
    this.#trap = undefined
    trap.onSprung()
    return true
  }

  #cut(link: Link): void {
    link.cut = true
    this.#links.delete(link)
    link.server.destroy()
    if (this.#listening) link.client.destroy()
    else this.#unheard.push(link.client)
  }

  #latencyMs(): number {
    return this.#random.float() < 0.02 ? this.#random.float() * 200 : this.#random.float() * latencyMsMax
  }
}
