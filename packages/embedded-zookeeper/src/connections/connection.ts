// One socket: packets in, packets out, and an end that has a reason. It knows nothing of what the packets mean.

import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '@catchment/runtime'
import { type Identity, PacketReader } from '@catchment/zookeeper-wire'
import type { Limits } from './limits.ts'
import type { CloseReason, Stats } from './stats.ts'

export interface ConnectionHandler {
  /** The first four bytes of a connection are a word and no length: its answer. */
  word(word: string, connection: ClientConnection): string | undefined
  frame(connection: ClientConnection, bytes: Buffer): void
  /** False while the server cannot take more; it calls `readOn` later. */
  mayRead(): boolean
  closed(connection: ClientConnection): void
}

/** A socket of node:net, or what stands in for one. */
export type ServerSocket = Duplex & {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  setNoDelay(noDelay?: boolean): unknown
  destroySoon(): void
}

export class ClientConnection {
  readonly address: string
  readonly port: number
  /** Whom the peer has shown to be. */
  readonly identities: Identity[]
  /** The session that it speaks for; 0 before the handshake. */
  sessionId = 0n
  timeoutMs = 0
  received = 0
  sent = 0

  readonly #socket: ServerSocket
  readonly #handler: ConnectionHandler
  readonly #limits: Limits
  readonly #stats: Stats
  readonly #frames: PacketReader
  readonly #handshakeTimer: Timer
  #state: 'open' | 'closed' = 'open'
  #flushScheduled = false
  /** Held: as if the network delivered nothing. Nothing is read, nothing leaves, not even an end. */
  #held = false

  constructor(
    socket: ServerSocket,
    handler: ConnectionHandler,
    options: { clock: Clock; limits: Limits; stats: Stats },
  ) {
    this.#socket = socket
    this.#handler = handler
    this.#limits = options.limits
    this.#stats = options.stats
    this.#frames = new PacketReader(options.limits.packetBytesMax)
    this.address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    this.port = socket.remotePort ?? 0
    this.identities = [{ scheme: 'ip', id: this.address }]
    this.#stats.connections += 1
    this.#handshakeTimer = options.clock.after(options.limits.handshakeTimeoutMs, () => {
      this.close('noHandshake')
    })
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk)
      this.readOn()
    })
    socket.on('drain', () => {
      this.readOn()
    })
    socket.on('error', () => {
      this.close('peer') // a reset is how peers die; 'close' follows
    })
    socket.on('close', () => {
      this.#ended('peer')
    })
  }

  /** Handles the packets that have come, as long as the server and the peer keep up. */
  readOn(): void {
    while (this.#state === 'open' && !this.#held) {
      if (!this.#mayRead()) {
        this.#socket.pause()
        return
      }
      if (!this.#handleNext()) break
    }
    if (!this.#held) this.#socket.resume()
  }

  /** The handshake is done: from here on the session's timeout watches over it. */
  attach(sessionId: bigint, timeoutMs: number): void {
    this.sessionId = sessionId
    this.timeoutMs = timeoutMs
    this.#handshakeTimer.cancel()
  }

  /** Packets of one tick leave in one write. */
  send(bytes: Buffer | string): void {
    if (this.#state !== 'open') return
    if (!this.#flushScheduled) {
      this.#flushScheduled = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#flushScheduled = false
        this.#socket.uncork()
      })
    }
    this.sent += 1
    this.#stats.packetsSent += 1
    this.#socket.write(bytes)
    if (this.#socket.writableLength > this.#limits.unsentBytesMax) this.close('slow')
  }

  /** Sends what is to be sent, then ends. The reason of the first call counts. */
  close(reason: CloseReason): void {
    if (this.#state !== 'open') return
    this.#ended(reason)
    if (this.#held) return
    if (reason === 'slow' || reason === 'dropped' || reason === 'shutdown') this.#socket.destroy()
    else this.#socket.destroySoon()
  }

  hold(): void {
    if (this.#held) return
    this.#held = true
    this.#socket.pause()
    this.#socket.cork()
  }

  release(): void {
    if (!this.#held) return
    this.#held = false
    this.#socket.uncork()
    if (this.#state === 'open') this.readOn()
    else this.#socket.destroy()
  }

  /** Ends at once, also when held. */
  destroy(reason: CloseReason): void {
    this.#ended(reason)
    this.#socket.destroy()
  }

  #mayRead(): boolean {
    return this.#handler.mayRead() && this.#socket.writableLength <= this.#limits.unsentBytesMax / 4
  }

  /** False when more bytes are needed. */
  #handleNext(): boolean {
    if (this.sessionId === 0n && this.received === 0) {
      const word = this.#frames.peek()?.toString('latin1')
      const answer = word === undefined ? undefined : this.#handler.word(word, this)
      if (answer !== undefined) {
        this.send(answer)
        this.close('word')
        return false
      }
    }
    const frame = this.#frames.next()
    if (frame === undefined) return false
    if (frame === 'tooLong') {
      this.close('tooLong')
      return false
    }
    this.received += 1
    this.#stats.packetsReceived += 1
    this.#handler.frame(this, frame)
    return true
  }

  #ended(reason: CloseReason): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#handshakeTimer.cancel()
    this.#stats.connections -= 1
    this.#stats.countClosed(reason)
    this.#handler.closed(this)
  }
}
