import { asError, sleep, waitForAbort } from '@catchment/runtime'
import { assertGiven, is } from '../../session/contract/given.ts'
import { isCode, ZooKeeperError } from '../../session/contract/errors.ts'
import { notify } from '../../session/contract/notify.ts'
import { Acquisition, decideExclusive, lookAhead } from '../../line/acquisition.ts'
import { releaseWithin, type NodeHold } from '../../line/hold.ts'
import { Backoff } from '../../session/connection/backoff.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

const standBackoff = { baseMs: 50, maxMs: 2_000 }

export interface ElectionOptions {
  /** The persistent node of the election; made if it is missing. */
  readonly path: string
  /** Who stands, for people who read the tree: the data of the candidate's node. */
  readonly id: string
  /**
   * It leads: a hint, no permission to write. Hand the token to what you write to, or take the fence (acquireFence) and
   * check it in every write to the tree. `signal` aborts when it is deposed: hand it to what the leader does; the next time
   * there is another. One that throws is logged and leads all the same: the election cannot know what it
   * had begun; to let another lead, resign.
   */
  readonly onElected: (token: bigint, signal: AbortSignal) => void
  /** It does not lead any more: stop at once. */
  readonly onDeposed: () => void
}

const optionRules = is.options<ElectionOptions>({
  path: is.pathBelowRoot,
  id: is.text,
  onElected: is.callback,
  onDeposed: is.callback,
})

export interface Election {
  /** Looks at the clock: right even when the process was stopped and no timer ran. Ask before each act on the outside. */
  readonly leading: boolean
  /** The fencing token while it leads: the transaction that created its node. It grows from leader to leader. */
  readonly token: bigint | undefined
  /**
   * Path of its node while it leads. A transaction that checks that it exists is a fence: names are never used again, so it
   * fails as soon as another can lead.
   */
  readonly node: string | undefined
  /**
   * Deposes at once, removes the candidate's node and ends. Resolves when the node is gone or its session over. Rejects with
   * `timeout` (twice the session timeout unless given) or `aborted`, and goes on removing it; a second call waits for the same.
   */
  resign(options?: CallOptions): Promise<void>
}

/**
 * Stands in an election. Source: ZooKeeper recipes, "Leader Election".
 *
 * Protocol: an exclusive lock (exclusive-lock.ts) that is acquired again after each loss: a place in a line of ephemeral
 * sequential nodes, of which the first leads. Everyone else watches the node before its own and its own, so one death wakes
 * one candidate. The leader watches its own node.
 *
 * States: candidate → elected → deposed (= candidate) → … → resigned. `onElected` and `onDeposed` alternate.
 * Suspended: deposed at once, within the state change; elected again, with the same token, when it is connected in the same
 * session and its node is still the first. Lost: deposed, and a new node at the end of the line. Its node deleted by others:
 * the same.
 *
 * Guarantee: two never lead at one instant, unless others delete nodes or the servers end sessions before their time, news
 * of which takes time to arrive. No one is elected upon what was read before the session was interrupted, before it
 * resigned, or by a node of an earlier session (as CURATOR-620, 652, 653 and 696 report).
 *
 * Throws `bad-arguments`.
 */
export function joinElection(session: ZooKeeperSession, options: ElectionOptions): Election {
  assertGiven('join election', { session, options }, { options: optionRules })
  return new Candidacy(session, options)
}

class Candidacy implements Election {
  readonly #session: ZooKeeperSession
  readonly #options: ElectionOptions
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  #acquisition: Acquisition
  #elected: { readonly token: bigint; readonly node: string; readonly term: AbortController } | undefined
  #resigned: Promise<void> | undefined

  constructor(session: ZooKeeperSession, options: ElectionOptions) {
    this.#session = session
    this.#options = options
    this.#acquisition = this.#stand()
    this.#ended = this.#live()
  }

  get leading(): boolean {
    return this.#elected !== undefined && this.#session.state === 'connected'
  }

  get token(): bigint | undefined {
    return this.leading ? this.#elected?.token : undefined
  }

  get node(): string | undefined {
    return this.leading ? this.#elected?.node : undefined
  }

  resign(options?: CallOptions): Promise<void> {
    const resign = (): Promise<void> => (this.#resigned ??= this.#resign())
    return releaseWithin(this.#session, `resign from ${this.#options.path}`, resign, options)
  }

  async #resign(): Promise<void> {
    this.#stop.abort()
    await this.#acquisition.giveUp()
    await this.#ended
  }

  #stand(): Acquisition {
    const { path, id } = this.#options
    return new Acquisition(this.#session, {
      path,
      kind: 'candidate',
      id,
      look: lookAhead(this.#session, path, decideExclusive),
    })
  }

  /** Stands, leads, and stands again at the end of the line, until it resigns or the session is closed. */
  async #live(): Promise<void> {
    const { clock, random, log } = this.#session
    const { signal } = this.#stop
    const backoff = new Backoff(random, standBackoff)
    for (;;) {
      try {
        await this.#lead(await this.#acquisition.hold)
        backoff.reset()
      } catch (thrown) {
        if (signal.aborted || isCode(thrown, 'closed')) return
        log(`election ${this.#options.path} failed, again soon`, { error: asError(thrown) })
        await sleep(clock, backoff.nextMs(), signal).catch(() => undefined)
      }
      await this.#acquisition.giveUp()
      if (signal.aborted || this.#session.state === 'closed') return
      this.#acquisition = this.#stand()
    }
  }

  /** As long as the hold can be true; elected while it is. */
  async #lead(hold: NodeHold): Promise<void> {
    const look = (): void => {
      if (hold.held) this.#elect(hold)
      else this.#depose()
    }
    hold.onChange(look)
    look()
    await waitForAbort(hold.signal)
  }

  #elect({ token, node }: NodeHold): void {
    if (this.#elected !== undefined) return
    const term = new AbortController()
    this.#elected = { token, node, term }
    const onElected = this.#options.onElected.bind(this.#options)
    notify(this.#session.log, `onElected of ${this.#options.path}`, onElected, token, term.signal)
  }

  #depose(): void {
    if (this.#elected === undefined) return
    const { term } = this.#elected
    this.#elected = undefined
    term.abort(new ZooKeeperError('aborted', `lead ${this.#options.path}: deposed`))
    notify(this.#session.log, `onDeposed of ${this.#options.path}`, this.#options.onDeposed.bind(this.#options))
  }
}
