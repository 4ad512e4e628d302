import type { SessionLog, SessionState } from '../contract/session.ts'
import { notify } from '../contract/notify.ts'

export const transitions: Readonly<Record<SessionState, readonly SessionState[]>> = {
  connected: ['suspended', 'closed'],
  suspended: ['connected', 'lost', 'closed'],
  lost: ['connected', 'closed'],
  closed: [],
}

/** The state of a session and those who listen to it. It starts as lost: there is no session yet. */
export class States {
  readonly #log: SessionLog
  readonly #listeners = new Set<(state: SessionState) => void>()
  #current: SessionState = 'lost'

  constructor(log: SessionLog) {
    this.#log = log
  }

  get current(): SessionState {
    return this.#current
  }

  /** The one setter. Throws on a transition that is not in the table. */
  become(state: SessionState, fields: Readonly<Record<string, unknown>> = {}): void {
    if (!transitions[this.#current].includes(state))
      throw new Error(`a session does not go from ${this.#current} to ${state}`)
    this.#current = state
    this.#log(`zookeeper session ${state}`, fields)
    for (const listener of [...this.#listeners]) notify(this.#log, 'a listener of the session', listener, state)
  }

  listen(listener: (state: SessionState) => void): () => void {
    const entry = listener.bind(undefined) // the same function may listen twice
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }
}
