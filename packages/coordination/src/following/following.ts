import { asError, Background, limitWait, type Timer } from '@catchment/runtime'
import { Backoff } from '../session/connection/backoff.ts'
import { ZooKeeperError } from '../session/contract/errors.ts'
import { notify } from '../session/contract/notify.ts'
import type { WatchEvent, ZooKeeperSession } from '../session/contract/session.ts'

const retryBackoff = { baseMs: 50, maxMs: 2_000 }
const rereadMsDefault = 30_000

/** What a turn gives to its reads: the watch to leave, the signal that ends them, and the session they belong to. */
export interface Turn {
  readonly watch: (event: WatchEvent) => void
  readonly signal: AbortSignal
  readonly generation: number
}

export interface FollowingOptions<T> {
  /** For the log: "value /logs/assignment". */
  readonly name: string
  /** Path of the sync before a read that must not be late. */
  readonly path: string
  readonly turn: (turn: Turn) => Promise<T>
  /** Given what each turn found, changed or not. */
  readonly deliver?: (value: T) => void
  readonly rereadMs?: number | undefined
  /** True when what was delivered may be old (suspended, lost); false when it has been read again. */
  readonly onStale?: ((stale: boolean) => void) | undefined
}

/** What following takes of a session. */
export type Followable = Pick<
  ZooKeeperSession,
  'clock' | 'random' | 'log' | 'state' | 'generation' | 'onState' | 'sync' | 'unwatchAll'
>

interface Waiter<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
  readonly sync: boolean
}

/**
 * The loop below every recipe that follows: take a turn at the start, and again after a watch fired, after a reconnect,
 * in a new session (after a sync, because it may have met a server that is late), and every `rereadMs` for safety. Turns
 * never overlap, so what they find is in order; what happens during a turn is followed by another. A turn that fails is
 * repeated with backoff as long as the following is open.
 */
export class Following<T> {
  readonly #session: Followable
  readonly #options: FollowingOptions<T>
  readonly #background: Background
  readonly #unsubscribe: () => void
  readonly #watch = (): void => {
    this.wake()
  }
  readonly #waiters: Waiter<T>[] = []
  /** dirty: a turn is due, and the loop runs. turning: one is being taken, and nothing has happened since it began. */
  #mode: 'idle' | 'dirty' | 'turning' | 'closed' = 'idle'
  #stale = true
  #syncedGeneration: number
  #timer: Timer | undefined

  constructor(session: Followable, options: FollowingOptions<T>) {
    this.#session = session
    this.#options = options
    this.#syncedGeneration = session.generation
    this.#background = new Background((name, error) => {
      session.log(`${name} ended by a bug`, { error })
    })
    this.#unsubscribe = session.onState((state) => {
      if (state === 'connected') this.wake()
      else this.#becomeStale(true)
      if (state === 'closed') this.end()
    })
    if (session.state === 'closed') this.end()
    else this.wake()
  }

  get stale(): boolean {
    return this.#stale || this.#session.state !== 'connected'
  }

  wake(): void {
    const mode = this.#mode
    if (mode === 'idle' || mode === 'turning') this.#mode = 'dirty'
    if (mode === 'idle') this.#background.run(`following ${this.#options.name}`, (signal) => this.#loop(signal))
  }

  /** Resolves with what a turn finds that begins after this call; `sync` first lets the server catch up. Rejects as reads do. */
  refresh(sync: boolean): Promise<T> {
    if (this.#mode === 'closed')
      return Promise.reject(new ZooKeeperError('closed', `following ${this.#options.name} has ended`))
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject, sync })
      this.wake()
    })
  }

  /** Ends it; when this resolves no callback runs any more. Not to be awaited from within a turn. */
  async close(): Promise<void> {
    this.end()
    await this.#background.close()
  }

  /** As close(), without waiting. */
  end(): void {
    if (this.#mode === 'closed') return
    this.#mode = 'closed'
    this.#timer?.cancel()
    this.#unsubscribe()
    const error = new ZooKeeperError('closed', `following ${this.#options.name} has ended`)
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
    this.#unwatch()
  }

  /** Leaves no watch on the server; no one waits for that. */
  #unwatch(): void {
    this.#session.unwatchAll(this.#watch).catch((thrown: unknown) => {
      this.#session.log(`the watches of ${this.#options.name} may be left on the server`, { error: asError(thrown) })
    })
  }

  async #loop(signal: AbortSignal): Promise<void> {
    this.#timer?.cancel()
    const backoff = new Backoff(this.#session.random, retryBackoff)
    while (this.#begin()) {
      if (await this.#takeTurn(signal)) {
        backoff.reset()
      } else {
        if (this.#mode === 'turning') this.#mode = 'dirty'
        if (this.#mode === 'dirty') await this.#pause(backoff.nextMs(), signal)
      }
    }
    if (this.#mode === 'closed') this.#unwatch() // the last turn may have left another
    if (this.#mode === 'idle')
      this.#timer = this.#session.clock.after(this.#options.rereadMs ?? rereadMsDefault, this.#watch)
  }

  /** Whether there is a turn to take; when not, the loop ends. */
  #begin(): boolean {
    const begun = this.#mode === 'dirty'
    if (begun) this.#mode = 'turning'
    else if (this.#mode === 'turning') this.#mode = 'idle'
    return begun
  }

  async #takeTurn(signal: AbortSignal): Promise<boolean> {
    const waiters = this.#waiters.splice(0)
    try {
      const { generation } = this.#session
      if (generation !== this.#syncedGeneration || waiters.some(({ sync }) => sync)) {
        await this.#session.sync(this.#options.path, { signal, generation })
        this.#syncedGeneration = generation
      }
      const value = await this.#options.turn({ watch: this.#watch, signal, generation })
      this.#deliver(value)
      for (const waiter of waiters) waiter.resolve(value)
      if (this.#session.state === 'connected') this.#becomeStale(false)
      return true
    } catch (thrown) {
      const error = asError(thrown)
      for (const waiter of waiters) waiter.reject(error)
      // While cut off every turn fails: the session has said so itself.
      if (this.#session.state === 'connected' && !signal.aborted)
        this.#session.log(`following ${this.#options.name} failed, again soon`, { error })
      return false
    }
  }

  /**
   * Until it is worth another try: a delay, or, while cut off, the reconnect. That may have been reported before anyone
   * listened here, so it is not waited for without end: a turn that is taken too early costs a call that waits or fails.
   */
  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    const { clock, state } = this.#session
    const cutOff = state !== 'connected'
    const { promise, resolve }: PromiseWithResolvers<void> = Promise.withResolvers()
    const unsubscribe = this.#session.onState((now) => {
      if (now === 'closed' || (now === 'connected' && cutOff)) resolve()
    })
    const unlimit = limitWait(clock, { signal, timeoutMs: cutOff ? retryBackoff.maxMs : delayMs }, () => {
      resolve()
    })
    await promise
    unlimit()
    unsubscribe()
  }

  #deliver(value: T): void {
    if (this.#mode === 'closed') return
    notify(this.#session.log, `the follower of ${this.#options.name}`, () => this.#options.deliver?.(value))
  }

  #becomeStale(stale: boolean): void {
    if (stale === this.#stale || this.#mode === 'closed') return
    this.#stale = stale
    notify(this.#session.log, `onStale of ${this.#options.name}`, () => this.#options.onStale?.(stale))
  }
}
