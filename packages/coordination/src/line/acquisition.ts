import { ZooKeeperError } from '../session/contract/errors.ts'
import { followUntil } from '../following/follow-until.ts'
import { NodeHold } from './hold.ts'
import { Place, readLine } from './line.ts'
import type { Turn } from '../following/following.ts'
import type { ZooKeeperSession } from '../session/contract/session.ts'

/** What the names in line mean for one of them: it holds, is not in line, or waits for that other one to leave. */
export type Decision = 'holds' | 'absent' | { readonly waitsFor: string }

/** What a look has found. `waits`: the watches that it left report when it is worth another. */
export type Sight = 'holds' | 'absent' | 'waits'

export interface Contest {
  /** The persistent node of the recipe, the line. */
  readonly path: string
  /** What the place is for, part of its name: `lock`, `read`. */
  readonly kind: string
  /** Who, for people who read the tree. */
  readonly id: string
  /** Looks at the line, to which `own` belongs if no one has removed it. */
  readonly look: (own: string, turn: Turn) => Promise<Sight>
}

/**
 * Stands in line until the hold is ours or it is given up; without a deadline of its own.
 *
 * Suspended: it goes on when connected again. Session lost, or our node deleted by someone else while it waits: it stands
 * again, at the end of the line.
 */
export class Acquisition {
  /** Rejects with `aborted` when given up, `closed` with the session, and with errors that are not retryable (`no-auth`, …). */
  readonly hold: Promise<NodeHold>
  /** What the first look at the line showed: the hold, or undefined when there are others to wait for. */
  readonly firstLook: Promise<NodeHold | undefined>
  readonly #session: ZooKeeperSession
  readonly #contest: Contest
  readonly #stop = new AbortController()
  #place: Place | undefined
  #current: NodeHold | undefined

  constructor(session: ZooKeeperSession, contest: Contest) {
    this.#session = session
    this.#contest = contest
    const { promise, resolve, reject } = Promise.withResolvers<NodeHold | undefined>()
    this.firstLook = promise
    this.hold = this.#follow(resolve)
    this.hold.catch(reject)
    this.firstLook.catch(() => undefined) // who waits for one of the two need not wait for the other
  }

  /** The hold once it is there, lost or not. */
  get current(): NodeHold | undefined {
    return this.#current
  }

  /** Leaves the line, or releases. Resolves when no node of ours is left, whatever it takes; never rejects. */
  async giveUp(): Promise<void> {
    this.#stop.abort(new ZooKeeperError('aborted', `the line ${this.#contest.path} was left`))
    await this.hold.catch(() => undefined)
    await this.#current?.letGo()
    await this.#place?.leave()
  }

  #follow(onLook: (hold: NodeHold | undefined) => void): Promise<NodeHold> {
    const { path, kind } = this.#contest
    const options = {
      name: `stand in line ${path} for ${kind}`,
      path,
      sync: false, // each turn begins with a write, or after one
      turn: async (turn: Turn) => {
        this.#current = await this.#stand(turn)
        onLook(this.#current)
        return this.#current
      },
    }
    return followUntil(this.#session, options, { signal: this.#stop.signal })
  }

  async #stand(turn: Turn): Promise<NodeHold | undefined> {
    const { path, look } = this.#contest
    for (;;) {
      const place = this.#placeIn(turn.generation)
      const own = await place.enter(turn)
      const node = `${path}/${own.name}`
      const sight = await look(own.name, turn)
      // Our own node is watched too, by the hold itself when we have it.
      if (sight === 'waits' && (await this.#session.exists(node, turn)) !== undefined) return undefined
      if (sight === 'holds') {
        const { generation } = place
        return new NodeHold(this.#session, { node, generation, token: own.token, leave: () => place.leave() })
      }
      this.#place = undefined
    }
  }

  #placeIn(generation: number): Place {
    if (this.#place?.generation === generation) return this.#place
    const { path, kind, id } = this.#contest
    this.#place = new Place(this.#session, { path, kind, data: Buffer.from(id), generation })
    return this.#place
  }
}

/**
 * Looks at the line and decides; when we wait it watches the node that we wait for, and no one else. Looks again when that
 * one left between.
 */
export function lookAhead(
  session: ZooKeeperSession,
  path: string,
  decide: (line: readonly string[], own: string) => Decision,
): Contest['look'] {
  return async (own, turn) => {
    const { signal, generation } = turn
    for (;;) {
      const line = await readLine(session, path, { signal, generation })
      const decision = decide(line, own)
      if (decision === 'holds' || decision === 'absent') return decision
      const before = `${path}/${decision.waitsFor}`
      if ((await session.exists(before, turn)) !== undefined) return 'waits'
    }
  }
}

/** The first in line holds; everyone else waits for the one before it. Pure. */
export function decideExclusive(line: readonly string[], own: string): Decision {
  const place = line.indexOf(own)
  if (place < 0) return 'absent'
  const before = line[place - 1]
  return before === undefined ? 'holds' : { waitsFor: before }
}
