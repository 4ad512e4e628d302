import { isCode, ZooKeeperError } from '../../session/errors.ts'
import { assertCallOptions, assertGiven, is } from '../../session/given.ts'
import { sharedDeadline } from '../../session/shared-deadline.ts'
import { afterLostAnswer } from '../../calls/until-answered.ts'
import { followUntil } from '../../following/follow-until.ts'
import { NodeHold, tokenOf } from '../../line/hold.ts'
import { Place, readLine } from '../../line/line.ts'
import { encodeRoster, readRoster, type Roster } from './roster.ts'
import type { Turn } from '../../following/following.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/session.ts'

/** All of a round are checked in the one transaction that opens it, which has to fit into a request. */
const sizeMax = 1_000

export interface DoubleBarrierOptions {
  /** The persistent node of the recipe, made if it is missing. Its data is the roster of the round. */
  readonly path: string
  /** Who enters, for people who read the tree: the data of the member's node. */
  readonly id: string
  /** How many make a round, 1 to 1,000; the same for all. Who comes beyond it waits for the next round. */
  readonly size: number
}

const optionRules = is.options<DoubleBarrierOptions>({
  path: is.pathBelowRoot,
  id: is.text,
  size: is.wholeNumber(1, sizeMax),
})

export interface DoubleBarrier {
  /** Resolves when `size` are in: for all of them, in one round. Each call is one member. */
  enter(options?: CallOptions): Promise<Round>
}

/** The part of one member in one round. */
export interface Round {
  /** Counts the rounds of this barrier, from 1. */
  readonly number: number
  /** Aborts when this member is in no more: its session was lost, its node was deleted by others, or it has left. */
  readonly signal: AbortSignal
  /**
   * To be called once. Resolves when all of the round have left or died. Rejects with `session-lost` if this member was
   * not in until it left: then the others may have gone on without it. One that gives up (`timeout`, `aborted`) has left
   * all the same: its outcome is `unknown`. `timeoutMs` bounds the whole.
   */
  leave(options?: CallOptions): Promise<void>
}

/**
 * A barrier at the beginning and at the end of a computation in rounds. Source: ZooKeeper recipes, "Double Barriers"; in
 * place of its node `ready`, which says nothing about whose round it is, the node of the recipe holds a roster.
 *
 * Protocol: whoever enters creates an ephemeral sequential node below `path`. The first of those who wait opens the round
 * as soon as nobody of the last roster is there any more and `size` wait: one transaction writes the next roster at the
 * version that was read and checks that each of its `size` nodes exists. Whoever finds itself in the roster is in. Leaving
 * deletes the own node and waits until no name of the roster is left. Names are never used again, so that whoever enters
 * for the next round while others still leave is no part of theirs.
 *
 * Who wakes: the first in line at every coming and going; another when the one before it goes, or its own
 * node; everyone who waits to enter when a round opens. Of n who leave, each watches one of those who remain, chosen at random: it wakes about ln n times.
 *
 * Guarantees: a round begins only at an instant at which all of it are in. Who dies while entering is out, and its place
 * another's; who dies later counts as left. A lost answer of the transaction that opens is read from the roster.
 * Deadlines: enter() that gives up withdraws in the background; if a round opened with it at that very instant, it has left
 * that round for the others. leave() that gives up has left.
 * Suspended: it waits. Session lost while entering: it stands anew, at the end; while in the round: `signal` aborts and
 * leave() rejects.
 *
 * Throws `bad-arguments`.
 */
export function doubleBarrier(session: ZooKeeperSession, options: DoubleBarrierOptions): DoubleBarrier {
  assertGiven('make double barrier', { session, options }, { options: optionRules })
  return { enter: (call) => new Entry(session, options).enter(call) }
}

class Entry {
  readonly #session: ZooKeeperSession
  readonly #options: DoubleBarrierOptions
  #place: Place | undefined

  constructor(session: ZooKeeperSession, options: DoubleBarrierOptions) {
    this.#session = session
    this.#options = options
  }

  async enter(call?: CallOptions): Promise<Round> {
    const { path } = this.#options
    let round: MemberOfRound | undefined
    try {
      return await followUntil(
        this.#session,
        { name: `enter ${path}`, path, turn: async (turn) => (round = await this.#stand(turn)) },
        call,
      )
    } catch (thrown) {
      void (round?.withdraw() ?? this.#place?.leave())
      throw thrown
    }
  }

  async #stand(turn: Turn): Promise<MemberOfRound | undefined> {
    const { path } = this.#options
    const { generation } = turn
    for (;;) {
      const place = this.#placeIn(generation)
      const { name: own } = await place.enter(turn)
      const roster = await readRoster(this.#session, path, turn)
      const admitted = roster.members.includes(own)
      const stat = await this.#session.exists(`${path}/${own}`, turn)
      if (stat === undefined) this.#place = undefined
      else if (admitted) {
        const held = { node: `${path}/${own}`, generation, token: tokenOf(stat), leave: () => place.leave() }
        return new MemberOfRound(this.#session, new NodeHold(this.#session, held), { path, generation, ...roster })
      } else if (await this.#waits(own, roster, turn)) return undefined
    }
  }

  /** Whether there is nothing to do but to wait for a watch. */
  async #waits(own: string, roster: Roster, turn: Turn): Promise<boolean> {
    const { path, size } = this.#options
    const { signal, generation } = turn
    const last = new Set(roster.members)
    const line = await readLine(this.#session, path, { signal, generation })
    const waiting = line.filter((name) => !last.has(name))
    const before = waiting[waiting.indexOf(own) - 1]
    if (before !== undefined) return (await this.#session.exists(`${path}/${before}`, turn)) !== undefined
    const all = await readLine(this.#session, path, turn)
    const next = all.filter((name) => !last.has(name)).slice(0, size)
    if (all.some((name) => last.has(name)) || next.length < size) return true
    await this.#open({ version: roster.version, number: roster.number + 1, members: next }, turn)
    return false
  }

  async #open(roster: Roster, { signal, generation }: Turn): Promise<void> {
    const { path } = this.#options
    const { version, members } = roster
    const present = members.map((name) => ({ op: 'check', path: `${path}/${name}`, version: 'any' }) as const)
    const write = { op: 'set', path, data: encodeRoster(roster), version } as const
    try {
      await this.#session.multi([write, ...present], { signal, generation })
    } catch (thrown) {
      if (!isCode(thrown, 'bad-version', 'no-node')) throw thrown // someone was faster, or has gone: look again
    }
  }

  #placeIn(generation: number): Place {
    if (this.#place?.generation === generation) return this.#place
    const { path, id } = this.#options
    this.#place = new Place(this.#session, { path, kind: 'member', data: Buffer.from(id), generation })
    return this.#place
  }
}

interface RoundOptions {
  readonly path: string
  readonly generation: number
  readonly number: number
  readonly members: readonly string[]
}

class MemberOfRound implements Round {
  readonly number: number
  readonly #session: ZooKeeperSession
  readonly #hold: NodeHold
  readonly #options: RoundOptions

  constructor(session: ZooKeeperSession, hold: NodeHold, options: RoundOptions) {
    this.#session = session
    this.#hold = hold
    this.#options = options
    this.number = options.number
  }

  get signal(): AbortSignal {
    return this.#hold.signal
  }

  async leave(call: CallOptions = {}): Promise<void> {
    const { path, generation } = this.#options
    const name = `leave round ${this.number} of ${path}`
    assertCallOptions(name, call)
    this.signal.throwIfAborted()
    const left = sharedDeadline(this.#session, call)
    await this.#hold.release(left)
    if (this.#session.generation !== generation || this.#session.state === 'lost')
      throw new ZooKeeperError('session-lost', `${name}: the session was lost before`)
    // Our own node is gone, whatever becomes of the wait for the others.
    await afterLostAnswer(() =>
      followUntil(this.#session, { name, path, turn: (turn) => this.#othersLeft(turn) }, left),
    )
  }

  withdraw(): Promise<void> {
    return this.#hold.release()
  }

  async #othersLeft(turn: Turn): Promise<true | undefined> {
    const { path, members } = this.#options
    for (;;) {
      const present = new Set(await readLine(this.#session, path, { signal: turn.signal }))
      const staying = members.filter((name) => present.has(name))
      const watched = staying[Math.floor(this.#session.random.float() * staying.length)]
      if (watched === undefined) return true
      if ((await this.#session.exists(`${path}/${watched}`, turn)) !== undefined) return undefined
    }
  }
}
