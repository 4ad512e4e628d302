// Nothing leaves before what it shows is durable. The state machine runs ahead of the disk; every packet is held until
// the log holds all transactions that were applied when the packet was made, reads and notifications too, so that no
// client ever sees a write that a crash could undo.

import type { ClientConnection } from './connection.ts'

interface Held {
  readonly position: number
  readonly connection: ClientConnection
  readonly bytes: Buffer
  readonly sent: (() => void) | undefined
}

/** Where the log stands, counted in transactions since the start. */
export interface LogPosition {
  readonly appended: number
  readonly durable: number
}

export class OutputGate {
  readonly #log: LogPosition | undefined
  #held: Held[] = []
  #heldBytes = 0

  /** Without a log everything leaves at once. */
  constructor(log: LogPosition | undefined) {
    this.#log = log
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  send(connection: ClientConnection, bytes: Buffer, sent?: () => void): void {
    if (this.#log === undefined || this.#log.durable === this.#log.appended) {
      connection.send(bytes)
      sent?.()
      return
    }
    this.#held.push({ position: this.#log.appended, connection, bytes, sent })
    this.#heldBytes += bytes.length
  }

  /** The log has got further. */
  open(): void {
    const durable = this.#log?.durable ?? Infinity
    const stillHeld = this.#held.findIndex(({ position }) => position > durable)
    const free = stillHeld === -1 ? this.#held : this.#held.slice(0, stillHeld)
    this.#held = stillHeld === -1 ? [] : this.#held.slice(stillHeld)
    for (const { connection, bytes, sent } of free) {
      this.#heldBytes -= bytes.length
      connection.send(bytes)
      sent?.()
    }
  }
}
