import { ZooKeeperError } from '../session/contract/errors.ts'
import { assertCallOptions } from '../session/contract/given.ts'
import { Following, type Turn } from '../following/following.ts'
import { within } from '../attempts/within.ts'
import type { Stat } from '../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../session/contract/session.ts'

/** A thing that is held: a lock, a lease, a leadership. */
export interface Hold extends AsyncDisposable {
  /**
   * True only at an instant at which the session is connected within its lease and the place is ours. Suspended: false; the
   * same session connected again: true again, once the node has been seen. Look at it before each act on the outside.
   */
  readonly held: boolean
  /**
   * The fencing token: the transaction id that created our node. It grows from holder to holder. Hand it to what is written
   * to, which refuses a lower one than it has seen: that alone stops a holder that slept through the loss of its hold.
   */
  readonly token: bigint
  /** Aborts once, when the hold is lost for good: its reason is a ZooKeeperError that says why. */
  readonly signal: AbortSignal
  /**
   * Gives it back; a second call waits for the same. Resolves when the node is gone or its session over. Rejects with
   * `timeout` (twice the session timeout unless given) or `aborted`, and goes on removing the node until it is gone.
   * `await using` calls it.
   */
  release(options?: CallOptions): Promise<void>
}

/**
 * Begins to leave, unless the options are wrong, and waits for it as `Hold.release` says. A rejection that no one waits for
 * is no unhandled one.
 */
export function releaseWithin(
  session: Pick<ZooKeeperSession, 'clock' | 'sessionTimeoutMs'>,
  name: string,
  leave: () => Promise<void>,
  options: CallOptions = {},
): Promise<void> {
  const released = wait()
  released.catch(() => undefined)
  return released

  async function wait(): Promise<void> {
    assertCallOptions(name, options)
    const { signal, timeoutMs = 2 * session.sessionTimeoutMs } = options
    await within(session, leave(), { name, outcome: 'unknown' }, { signal, timeoutMs })
  }
}

/** The ephemeral node that is the hold. */
export interface HeldNode {
  readonly node: string
  /** The session that it belongs to, `session.generation`. */
  readonly generation: number
  readonly token: bigint
  /** Removes it: resolves when that is certain, never rejects. */
  readonly leave: () => Promise<void>
}

/** Fencing token of a node: numbers of transactions grow over the whole life of a tree. */
export function tokenOf(stat: Stat): bigint {
  return BigInt(`0x${stat.czxid}`)
}

/**
 * Holds as long as an ephemeral node exists that was seen to be ours.
 *
 * States: held ⇄ in doubt → over. Suspended: in doubt, until the node has been seen again in the same session. Over, for
 * good: the session is lost or closed, someone deleted the node, or it is released. It watches the node and nothing else.
 */
export class NodeHold implements Hold {
  readonly token: bigint
  readonly #session: ZooKeeperSession
  readonly #held: HeldNode
  readonly #over = new AbortController()
  readonly #following: Following<void>
  readonly #unsubscribe: () => void
  readonly #listeners = new Set<() => void>()
  #inDoubt: boolean

  /** To be made as soon as the answer that showed the node is there, before anything else can happen. */
  constructor(session: ZooKeeperSession, held: HeldNode) {
    this.#session = session
    this.#held = held
    this.token = held.token
    this.#inDoubt = session.state !== 'connected'
    this.#unsubscribe = session.onState((state) => {
      if (state === 'suspended') this.#inDoubt = true
      else if (state !== 'connected') this.#end(state === 'lost' ? 'session-lost' : 'closed', `the session is ${state}`)
      this.#changed()
    })
    this.#following = new Following<void>(session, {
      name: `hold ${held.node}`,
      path: held.node,
      turn: (turn) => this.#look(turn),
    })
    const { state, generation } = session
    if (state === 'lost' || generation !== held.generation) this.#end('session-lost', 'the session is lost')
    else if (state === 'closed') this.#end('closed', 'the session is closed')
  }

  get held(): boolean {
    return !this.#over.signal.aborted && !this.#inDoubt && this.#session.state === 'connected'
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Path of the node that is the hold. */
  get node(): string {
    return this.#held.node
  }

  /** The session that it belongs to, `session.generation`. */
  get generation(): number {
    return this.#held.generation
  }

  /** Calls `listener` after everything that may have changed `held`, from within a change of the session's state too. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  release(options?: CallOptions): Promise<void> {
    return releaseWithin(this.#session, `release ${this.#held.node}`, () => this.letGo(), options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** As release(), whatever it takes: never rejects. */
  letGo(): Promise<void> {
    this.#end('closed', 'released by its holder')
    return this.#held.leave()
  }

  async #look(turn: Turn): Promise<void> {
    const stat = await this.#session.exists(this.#held.node, turn)
    if (stat === undefined || tokenOf(stat) !== this.token) this.#end('no-node', 'someone else deleted the node')
    else this.#inDoubt = this.#session.state !== 'connected'
    this.#changed()
  }

  #end(code: 'session-lost' | 'closed' | 'no-node', why: string): void {
    if (this.#over.signal.aborted) return
    this.#unsubscribe()
    this.#following.end()
    this.#over.abort(new ZooKeeperError(code, `hold ${this.#held.node}: ${why}`))
    this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
