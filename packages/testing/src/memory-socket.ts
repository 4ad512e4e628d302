import { Duplex } from 'node:stream'

/** What one end of a connection says to the other. `packet`: the bytes of one write. */
export type Message = { readonly packet: Buffer } | 'end'

/** One end of a connection in memory. What is written to it goes to `deliver`; what the other end sends comes by `hear`. */
export class MemorySocket extends Duplex {
  readonly remoteAddress: string
  readonly remotePort = 0
  readonly #deliver: (message: Message) => void

  constructor(remoteAddress: string, deliver: (message: Message) => void) {
    super({ allowHalfOpen: false })
    this.remoteAddress = remoteAddress
    this.#deliver = deliver
  }

  hear(message: Message): void {
    if (this.destroyed) return
    if (message === 'end') this.destroy()
    else this.push(message.packet)
  }

  /** As a socket of node:net: sends what was written, then ends. */
  destroySoon(): void {
    this.end(() => this.destroy())
  }

  setNoDelay(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  override _read(): void {
    return undefined // everything that comes is pushed at once
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#deliver({ packet: chunk })
    done()
  }

  override _destroy(_error: Error | null, done: (error: Error | null) => void): void {
    this.#deliver('end')
    done(null)
  }
}
