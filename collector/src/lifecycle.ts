import { EventEmitter } from 'node:events'
import type { CollectorState } from '@catchment/protocol'
import type { CatchmentError } from '@catchment/runtime'

/** Whether a collector serves, stops, or must end. Only the root writes it. */
export class Lifecycle {
  /** Rejects when the collector must end. Never resolves. */
  readonly failed: Promise<never>
  readonly #reject: (error: CatchmentError) => void
  readonly #events = new EventEmitter<{ failed: [] }>()
  #state: CollectorState = 'serving'
  #broken = false

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    this.#reject = reject
    this.failed.catch(() => undefined) // the holder of the collector waits for it
  }

  /** The collector must end, whatever the reason. */
  onFailed(listener: () => void): void {
    this.#events.on('failed', listener)
  }

  get state(): CollectorState {
    return this.#state
  }

  /** Nothing may be acknowledged any more: the end is not a graceful one. */
  get broken(): boolean {
    return this.#broken
  }

  stop(): void {
    this.#state = 'stopping'
  }

  fail(error: CatchmentError): void {
    this.#broken = true
    this.#events.emit('failed')
    this.#reject(error)
  }
}
