import { asError } from '@catchment/runtime'
import type { SessionLog, SessionState } from './session.ts'

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
    tell([...this.#listeners], state, this.#log)
  }

  listen(listener: (state: SessionState) => void): () => void {
    const entry = (state: SessionState): void => {
      listener(state)
    }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }
}

/** Tells every listener; what one throws is logged and stops nothing. */
export function tell<T>(listeners: readonly ((value: T) => void)[], value: T, log: SessionLog): void {
  for (const listener of listeners) {
    try {
      listener(value)
    } catch (thrown) {
      log('a listener of the session threw', { error: asError(thrown) })
    }
  }
}
