import { assertGiven, is } from '../../session/given.ts'
import { ZooKeeperError } from '../../session/errors.ts'
import { tell } from '../../session/tell.ts'
import { Following, type Turn } from '../../following/following.ts'
import { releaseWithin, tokenOf } from '../../line/hold.ts'
import { Place, readLine } from '../../line/line.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/session.ts'

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
 * Protocol: a place in a line of ephemeral sequential nodes (line.ts); the first leads. Everyone else watches the node
 * before its own and no other, so one death wakes one candidate. The leader watches its own node.
 *
 * States: candidate → elected → deposed (= candidate) → … → resigned. `onElected` and `onDeposed` alternate.
 * Suspended: deposed at once, within the state change; elected again, with the same token, when it is connected in the same
 * session and its node is still the first. Lost: deposed, and a new node at the end of the line. Its node deleted by others:
 * the same.
 *
 * Guarantee: two never lead at one instant, unless others delete nodes or the servers end sessions before their time, news
 * of which takes time to arrive. Nobody is elected upon what was read before the session was interrupted, before it
 * resigned, or by a node of an earlier session (as CURATOR-620, 652, 653 and 696 tell).
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
  readonly #following: Following<void>
  readonly #unsubscribe: () => void
  #place: Place | undefined
  #elected: { readonly token: bigint; readonly node: string; readonly term: AbortController } | undefined
  #resigned: Promise<void> | undefined

  constructor(session: ZooKeeperSession, options: ElectionOptions) {
    this.#session = session
    this.#options = options
    this.#unsubscribe = session.onState((state) => {
      if (state !== 'connected') this.#depose()
    })
    this.#following = new Following<void>(session, {
      name: `election ${options.path}`,
      path: options.path,
      turn: (turn) => this.#stand(turn),
    })
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
    this.#unsubscribe()
    this.#depose()
    await this.#following.close()
    await this.#place?.leave()
  }

  async #stand(turn: Turn): Promise<void> {
    const { path } = this.#options
    const { signal, generation } = turn
    for (;;) {
      const { name: own } = await this.#placeIn(generation).enter(turn)
      const line = await readLine(this.#session, path, { signal, generation })
      const place = line.indexOf(own)
      const watched = line[Math.max(0, place - 1)]
      if (place < 0 || watched === undefined) {
        this.#depose()
        this.#place = undefined
        continue
      }
      const node = `${path}/${watched}`
      const stat = await this.#session.exists(node, turn)
      if (stat === undefined) continue
      if (place > 0) this.#depose()
      else if (!signal.aborted && this.#session.state === 'connected') this.#elect(tokenOf(stat), node)
      return
    }
  }

  #placeIn(generation: number): Place {
    if (this.#place?.generation === generation) return this.#place
    const { path, id } = this.#options
    this.#place = new Place(this.#session, { path, kind: 'candidate', data: Buffer.from(id), generation })
    return this.#place
  }

  #elect(token: bigint, node: string): void {
    if (this.#elected !== undefined) return
    const term = new AbortController()
    this.#elected = { token, node, term }
    const onElected = this.#options.onElected.bind(this.#options)
    tell(this.#session.log, `onElected of ${this.#options.path}`, onElected, token, term.signal)
  }

  #depose(): void {
    if (this.#elected === undefined) return
    const { term } = this.#elected
    this.#elected = undefined
    term.abort(new ZooKeeperError('aborted', `lead ${this.#options.path}: deposed`))
    tell(this.#session.log, `onDeposed of ${this.#options.path}`, this.#options.onDeposed.bind(this.#options))
  }
}
