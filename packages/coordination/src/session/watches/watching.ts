// The watches of a session as requests: what is asked of the server when someone begins or ceases to listen, and what
// listeners are notified. Who listens to what, and what the server must hold for it, stands in watches.ts.

import { asError } from '@catchment/runtime'
import type { CallHooks, Calls } from '../calls/calls.ts'
import { ignoring, ZooKeeperError } from '../contract/errors.ts'
import { assertGiven, callRules, is } from '../contract/given.ts'
import {
  withMode,
  withWatch,
  withWatcherType,
  type Request,
  type Requests,
  type WatchMode,
} from '../requests/requests.ts'
import type {
  CallOptions,
  PersistentWatch,
  SessionLog,
  WatchEvent,
  WatchListener,
  WatchOptions,
} from '../contract/session.ts'
import { notify } from '../contract/notify.ts'
import { Watches, type Notice, type OneShotTable } from './watches.ts'
import type { Connection } from '../connection/zookeeper.ts'

export interface WatchingOptions {
  readonly calls: Calls
  readonly requests: Requests
  readonly log: SessionLog
  /** How many listeners at most. */
  readonly watchesMax: number
  readonly call: <T>(request: Request<T>, options: CallOptions, hooks: CallHooks<T>) => Promise<T>
  /** Gives up the connection for another, on which all watches are set again. */
  readonly reconnect: (reason: string) => void
}

const watchOptions = is.options<WatchOptions>({ ...callRules, recursive: is.optional(is.flag) })

export class Watching {
  readonly #options: WatchingOptions
  readonly #watches = new Watches()

  constructor(options: WatchingOptions) {
    this.#options = options
  }

  /** What a read with a listener adds to its call. Throws `bad-arguments` and `overloaded`. */
  hooks<T>(kind: 'data' | 'exist' | 'child', path: string, request: Request<T>, listener: WatchListener): CallHooks<T> {
    if (typeof (listener as unknown) !== 'function')
      assertGiven(request.attempt, { watch: listener }, { watch: is.callback })
    this.#assertRoom(request.attempt)
    const table = kind === 'child' ? 'child' : 'data'
    return {
      onSend: () => {
        withWatch(request, this.#watches.ask(table, path))
      },
      onAnswer: (answer, late) => {
        const stands =
          'value' in answer ? table : kind === 'exist' && answer.error.code === 'no-node' ? 'exist' : undefined
        if (!late && stands !== undefined) this.#watches.add(stands, path, listener)
        this.#watches.answered(table, path)
        if (late && stands !== undefined) this.#releaseQuietly(table, path)
      },
    }
  }

  async add(path: string, listener: WatchListener, options: WatchOptions): Promise<PersistentWatch> {
    const attempt = `add a watch to ${path}`
    assertGiven(attempt, { listener, options }, { listener: is.callback, options: watchOptions })
    const { recursive = false, ...callOptions } = options
    const mode = recursive ? 'recursive' : 'persistent'
    const request = this.#options.requests.addWatch(path)
    this.#assertRoom(request.attempt)
    const entry = listener.bind(undefined) // the same function may listen twice
    await this.#options.call(request, callOptions, {
      onSend: () => {
        withMode(request, this.#watches.askToStay(path, mode))
      },
      onAnswer: (answer, late) => {
        if ('value' in answer && !late) this.#watches.add(mode, path, entry)
        const refused = 'error' in answer && answer.error.code !== 'connection-lost'
        if (this.#watches.answeredToStay(path, refused))
          this.#options.reconnect(`${request.attempt} was refused; others relied on it`)
        if ('value' in answer && late) this.#releaseQuietly('data', path)
      },
    })
    return {
      path,
      remove: (removeOptions) => this.#remove(mode, path, entry, removeOptions),
      [Symbol.asyncDispose]: () => this.#remove(mode, path, entry),
    }
  }

  async unwatch(path: string, listener: WatchListener, options?: CallOptions): Promise<void> {
    assertGiven('take a watch back', { path, listener }, { path: is.path, listener: is.callback })
    const data = this.#watches.remove('data', path, listener)
    const exist = this.#watches.remove('exist', path, listener)
    const child = this.#watches.remove('child', path, listener)
    if (data || exist) await this.#release('data', path, options)
    if (child) await this.#release('child', path, options)
  }

  async unwatchAll(listener: WatchListener, options?: CallOptions): Promise<void> {
    assertGiven('take a watch back', { listener }, { listener: is.callback })
    await Promise.all(this.#watches.pathsOf(listener).map((path) => this.unwatch(path, listener, options)))
  }

  /** Sets all watches on a new connection of the session. */
  restore(connection: Connection, zxid: bigint): void {
    for (const batch of this.#watches.restore())
      connection.send(this.#options.requests.setWatches(zxid, batch), (answer) => {
        if ('error' in answer) connection.destroy(answer.error.message)
      })
  }

  notifyMissed(): void {
    this.#notify(this.#watches.missed())
  }

  /** Forgets all; returns what notifies everyone. */
  lose(): () => void {
    const notices = this.#watches.takeAll()
    return () => {
      this.#notify(notices)
    }
  }

  onEvent(event: WatchEvent): void {
    this.#notify(this.#watches.take(event))
    for (const path of [...this.#watches.leftOver(event.path)]) this.#releaseQuietly('data', path)
  }

  async #remove(mode: WatchMode, path: string, entry: WatchListener, options?: CallOptions): Promise<void> {
    if (this.#watches.remove(mode, path, entry)) await this.#release('data', path, options)
  }

  /** Asks the server to drop the watch, unless someone still listens. A connection that is over holds none. */
  async #release(table: OneShotTable, path: string, options: CallOptions = {}): Promise<void> {
    const type = this.#watches.releasable(table, path)
    if (type === undefined || !this.#options.calls.attached) return
    const request = this.#options.requests.removeWatches(path, type)
    const removal = this.#options.call(request, options, {
      instead: () => {
        const now = this.#watches.releasable(table, path)
        if (now === undefined) return { value: undefined }
        withWatcherType(request, now)
        return undefined
      },
      onSend: () => {
        this.#watches.release(path)
      },
    })
    await ignoring(removal, 'no-watcher', 'connection-lost', 'session-lost', 'closed')
  }

  #releaseQuietly(table: OneShotTable, path: string): void {
    this.#release(table, path).catch((thrown: unknown) => {
      this.#options.log('a watch could not be taken back', { path, error: asError(thrown) })
    })
  }

  #assertRoom(attempt: string): void {
    const { watchesMax } = this.#options
    if (this.#watches.size < watchesMax) return
    throw new ZooKeeperError('overloaded', `${attempt}: a session has at most ${watchesMax} watches (watchesMax)`)
  }

  #notify(notices: readonly Notice[]): void {
    for (const [listener, event] of notices) notify(this.#options.log, `a watch of ${event.path}`, listener, event)
  }
}
