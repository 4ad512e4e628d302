import { ignoring, isCode, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertCallOptions, assertGiven, is } from '../../session/contract/given.ts'
import { sharedDeadline } from '../../session/calls/shared-deadline.ts'
import { afterLostAnswer } from '../../attempts/until-answered.ts'
import { within } from '../../attempts/within.ts'
import { followUntil } from '../../following/follow-until.ts'
import { Acquisition, type Sight } from '../../line/acquisition.ts'
import type { NodeHold } from '../../line/hold.ts'
import { readLine } from '../../line/line.ts'
import { emptyRoster, encodeRoster, readRoster, type Roster } from './roster.ts'
import type { Turn } from '../../following/following.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

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
 * Protocol: each member that enters creates an ephemeral sequential node below `path`. The first of those who wait opens the round
 * as soon as no one of the last roster is there any more and `size` wait: one transaction writes the next roster at the
 * version that was read and checks that each of its `size` nodes exists. A member that finds itself in the roster is in. Leaving
 * deletes its own node and waits until no name of the roster is left. Names are never used again, so that one that enters
 * for the next round while others still leave is no part of theirs.
 *
 * Who wakes: the first in line at every coming and going; another when the one before it goes, or its own
 * node; everyone who waits to enter when a round opens. Of n who leave, each watches one of those who remain, chosen at random: it wakes about ln n times.
 *
 * Guarantees: a round begins only at an instant at which all of it are in. Who dies while entering is out, and its place
 * another's; who dies later counts as left. A lost answer of the transaction that opens is read from the roster.
 * Deadlines: enter() that gives up withdraws in the background; if a round opened with it at that very instant, it has left
 * that round for the others. leave() that gives up has left.
 * Suspended: it waits. Session lost while entering: it stands again, at the end; while in the round: `signal` aborts and
 * leave() rejects.
 *
 * Throws `bad-arguments`.
 */
export function doubleBarrier(session: ZooKeeperSession, options: DoubleBarrierOptions): DoubleBarrier {
  assertGiven('make double barrier', { session, options }, { options: optionRules })
  return { enter: (call) => enter(session, options, call) }
}

async function enter(session: ZooKeeperSession, options: DoubleBarrierOptions, call?: CallOptions): Promise<Round> {
  const { path, id } = options
  const name = `enter ${path}`
  assertCallOptions(name, call)
  let roster: Roster | undefined
  const look = async (own: string, turn: Turn): Promise<Sight> => {
    for (;;) {
      roster = await readRoster(session, path, turn)
      if (roster.members.includes(own)) return (await isThere(own, turn)) ? 'holds' : 'absent'
      const sight = await lookAtLine(session, options, { own, roster, turn })
      if (sight !== 'again') return sight
    }
  }
  const isThere = async (own: string, { signal, generation }: Turn): Promise<boolean> =>
    (await session.exists(`${path}/${own}`, { signal, generation })) !== undefined
  const acquisition = new Acquisition(session, { path, kind: 'member', id, look })
  try {
    const hold = await within(session, acquisition.hold, { name, outcome: 'not-done' }, call)
    return new MemberOfRound(session, hold, { path, ...(roster ?? emptyRoster) })
  } catch (thrown) {
    const left = acquisition.giveUp()
    if (!isCode(thrown, 'timeout', 'aborted')) await left
    throw thrown
  }
}

/** Of one who waits for the next round: opens it, or waits for a watch. `again`: the line is not what it was, look again. */
async function lookAtLine(
  session: ZooKeeperSession,
  { path, size }: DoubleBarrierOptions,
  { own, roster, turn }: { readonly own: string; readonly roster: Roster; readonly turn: Turn },
): Promise<'absent' | 'waits' | 'again'> {
  const { signal, generation } = turn
  const last = new Set(roster.members)
  const line = await readLine(session, path, { signal, generation })
  const waiting = line.filter((name) => !last.has(name))
  const place = waiting.indexOf(own)
  if (place < 0) return 'absent'
  const before = waiting[place - 1]
  if (before !== undefined) return (await session.exists(`${path}/${before}`, turn)) === undefined ? 'again' : 'waits'
  const all = await readLine(session, path, turn)
  const next = all.filter((name) => !last.has(name)).slice(0, size)
  if (all.some((name) => last.has(name)) || next.length < size) return 'waits'
  const data = encodeRoster({ number: roster.number + 1, members: next })
  const opening = session.multi(
    [
      { op: 'set', path, data, version: roster.version },
      ...next.map((name) => ({ op: 'check', path: `${path}/${name}`, version: 'any' }) as const),
    ],
    { signal, generation },
  )
  await ignoring(opening, 'bad-version', 'no-node') // someone was faster, or has gone: look again
  return 'again'
}

interface RoundOptions {
  readonly path: string
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
    const { path } = this.#options
    const { generation } = this.#hold
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
