// The session with ZooKeeper as the rest of the assigner needs it: whether it is connected, and how old the tree may be.

import type { ZooKeeperSession } from '@catchment/coordination'
import type { Log } from '@catchment/runtime'

export class SessionWatch {
  readonly #session: ZooKeeperSession
  readonly #log: Log
  readonly #listeners = new Set<(nowMs: number) => void>()
  readonly #unsubscribe: () => void
  #heardAtMs: number

  constructor(session: ZooKeeperSession, log: Log) {
    this.#session = session
    this.#log = log
    this.#heardAtMs = session.clock.monotonicMs()
    this.#unsubscribe = session.onState((state) => {
      this.#follow(state)
    })
  }

  /** Milliseconds since the tree was last heard of. */
  get ageMs(): number {
    return this.#session.state === 'connected' ? 0 : this.#session.clock.monotonicMs() - this.#heardAtMs
  }

  /** Why nothing can be read or written now; undefined when it can. */
  get obstacle(): string | undefined {
    const { state } = this.#session
    return state === 'connected' ? undefined : `ZooKeeper is not connected (${state})`
  }

  /** Called each time the session is connected again. */
  onConnected(listener: (nowMs: number) => void): void {
    this.#listeners.add(listener)
  }

  close(): void {
    this.#unsubscribe()
  }

  #follow(state: ZooKeeperSession['state']): void {
    this.#heardAtMs = this.#session.clock.monotonicMs()
    if (state === 'connected') {
      this.#log.info('ZooKeeper is connected')
      for (const listener of this.#listeners) listener(this.#heardAtMs)
    } else if (state !== 'closed') this.#log.warn('ZooKeeper is not connected: nothing moves until it is', { state })
  }
}
