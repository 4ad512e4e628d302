import { onAbort } from '@catchment/runtime'
import { ZooKeeperError } from '../session/contract/errors.ts'
import { assertGiven, is } from '../session/contract/given.ts'
import { within } from '../attempts/within.ts'
import type { Acquisition } from './acquisition.ts'
import { releaseWithin, type Hold } from './hold.ts'
import { sharedDeadline } from '../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../session/contract/session.ts'

export interface AcquireOptions extends Pick<CallOptions, 'signal' | 'timeoutMs'> {
  /**
   * Who acquires, among those who share this object: a task, a request. The same owner gets what it holds again, counted,
   * and gives it back as often. Without one each acquisition stands in line like everyone.
   */
  readonly owner?: string
}

export const acquireRules = is.options<AcquireOptions>({
  signal: is.optional(is.signal),
  timeoutMs: is.optional(is.timeout),
  owner: is.optional(is.text),
})

interface Owned {
  readonly acquisition: Acquisition
  /** Acquisitions that were not released or given up. With the last one the place is. */
  users: number
}

/**
 * The acquisitions of one lock object, each by an owner. Those of the same owner share one place in line, also while it
 * waits there, each with its own deadline.
 */
export class Owners {
  readonly #session: ZooKeeperSession
  readonly #begin: () => Acquisition
  readonly #owned = new Map<string | symbol, Owned>()

  /** `begin` stands in line. */
  constructor(session: ZooKeeperSession, begin: () => Acquisition) {
    this.#session = session
    this.#begin = begin
  }

  /** Whether `owner` holds, or waits. */
  has(owner: string | undefined): boolean {
    return owner !== undefined && this.#living(owner) !== undefined
  }

  /** Waits without limit unless one is given. `name` is for errors: "acquire /locks/a". */
  async acquire(name: string, options: AcquireOptions): Promise<Hold> {
    assertGiven(name, { options }, { options: acquireRules })
    const { owner, signal, timeoutMs } = options
    const key = owner ?? Symbol(name)
    const owned = this.#join(key)
    try {
      const limits = { signal, timeoutMs }
      const hold = await within(this.#session, owned.acquisition.hold, { name, outcome: 'not-done' }, limits)
      return this.#share(key, owned, hold)
    } catch (thrown) {
      void this.#leave(key, owned)
      throw thrown
    }
  }

  /** Waits for the servers alone, twice the session timeout unless a limit is given; never for other holders. */
  async tryAcquire(name: string, options: AcquireOptions): Promise<Hold | undefined> {
    assertGiven(name, { options }, { options: acquireRules })
    const { owner, signal, timeoutMs } = options
    const key = owner ?? Symbol(name)
    const limits = sharedDeadline(this.#session, { signal, timeoutMs: timeoutMs ?? 2 * this.#session.sessionTimeoutMs })
    const owned = this.#join(key)
    const { acquisition } = owned
    try {
      const looked = acquisition.current ?? acquisition.firstLook
      const hold = await within(this.#session, Promise.resolve(looked), { name, outcome: 'not-done' }, limits)
      if (hold !== undefined) return this.#share(key, owned, hold)
    } catch (thrown) {
      void this.#leave(key, owned)
      throw thrown
    }
    await within(this.#session, this.#leave(key, owned), { name, outcome: 'not-done' }, limits)
    return undefined
  }

  #living(key: string | symbol): Owned | undefined {
    const owned = this.#owned.get(key)
    return owned?.acquisition.current?.signal.aborted === true ? undefined : owned
  }

  #join(key: string | symbol): Owned {
    const owned = this.#living(key) ?? this.#begun(key)
    owned.users += 1
    return owned
  }

  #begun(key: string | symbol): Owned {
    const owned = { acquisition: this.#begin(), users: 0 }
    this.#owned.set(key, owned)
    const forget = (): void => {
      this.#forget(key, owned)
    }
    // One that is not acquired is forgotten when its last user leaves.
    owned.acquisition.hold.then(({ signal }) => onAbort(signal, forget)).catch(() => undefined)
    return owned
  }

  #forget(key: string | symbol, owned: Owned): void {
    if (this.#owned.get(key) === owned) this.#owned.delete(key)
  }

  /** Resolves when the place is left, at once when others of the owner stay; never rejects. */
  async #leave(key: string | symbol, owned: Owned): Promise<void> {
    owned.users -= 1
    if (owned.users > 0) return
    this.#forget(key, owned)
    await owned.acquisition.giveUp()
  }

  #share(key: string | symbol, owned: Owned, hold: Hold): Hold {
    const given = new AbortController()
    const name = `release the hold with token ${hold.token}`
    const unsubscribe = onAbort(hold.signal, () => {
      given.abort(hold.signal.reason)
    })
    let left: Promise<void> | undefined
    const release = (): Promise<void> => {
      unsubscribe()
      left ??= this.#leave(key, owned)
      given.abort(new ZooKeeperError('closed', `${name}: released by its holder`))
      return left
    }
    return {
      token: hold.token,
      signal: given.signal,
      get held() {
        return !given.signal.aborted && hold.held
      },
      release: (options) => releaseWithin(this.#session, name, release, options),
      [Symbol.asyncDispose]: () => releaseWithin(this.#session, name, release),
    }
  }
}
