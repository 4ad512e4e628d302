import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { assertGiven, is } from '../../session/contract/given.ts'
import { listContenders, type Contender } from '../../line/contenders.ts'
import { notify } from '../../session/contract/notify.ts'
import { followLatest, followRules, type Followed, type FollowOptions } from '../../following/follow-latest.ts'
import type { Turn } from '../../following/following.ts'
import { tokenOf } from '../../line/hold.ts'
import { readLine } from '../../line/line.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/** Who leads, as the tree shows it. */
export interface Leader {
  readonly id: string
  /** Path of its node. */
  readonly node: string
  /** Its fencing token: grows from leader to leader. */
  readonly token: bigint
}

export interface ObserveLeaderOptions extends FollowOptions {
  /** The node of the election. */
  readonly path: string
  /** Undefined: no one stands. Called first with who leads, then on change. */
  readonly onLeader: (leader: Leader | undefined) => void
}

const optionRules = is.options<ObserveLeaderOptions>({ path: is.pathBelowRoot, onLeader: is.callback, ...followRules })

export interface ObservedLeader extends Followed<Leader | undefined> {
  /** As delivered last. */
  readonly leader: Leader | undefined
  /** Who stands, in order; the first leads. At most the first 1,000. */
  candidates(options?: CallOptions): Promise<Contender[]>
}

/**
 * Follows who leads an election (joinElection) without standing in it.
 *
 * Protocol: read the line, then the first node with a watch; it alone is watched, as no one ever comes in before it. While
 * no one stands, the node of the election is watched. So a change of the leader wakes each observer once, and candidates
 * that come and go after it wake no one.
 *
 * Guarantees: each change is delivered at least as its latest state, never an older leader after a newer one: tokens only grow.
 * The first in line may be suspended at this instant and know that it may not act: that it leads is its own to say.
 * Suspended or lost: `onStale(true)`, and the last one reported stands.
 *
 * Throws `bad-arguments`.
 */
export function observeLeader(session: ZooKeeperSession, options: ObserveLeaderOptions): ObservedLeader {
  assertGiven('observe leader', { session, options }, { options: optionRules })
  const { path } = options
  let leader: Leader | undefined
  const followed = followLatest<Leader | undefined>(session, {
    ...{ name: `leader of ${path}`, path, options },
    turn: (turn) => readLeader(session, path, turn),
    keyOf: (found) => found?.node,
    onChange: (found) => {
      leader = found
      notify(session.log, `onLeader of ${path}`, options.onLeader.bind(options), found)
    },
  })
  return {
    get leader() {
      return leader
    },
    get stale() {
      return followed.stale
    },
    refresh: () => followed.refresh(),
    candidates: (call) => listContenders(session, path, ({ name, line }) => line[0] === name, call),
    close: () => followed.close(),
  }
}

async function readLeader(session: ZooKeeperSession, path: string, turn: Turn): Promise<Leader | undefined> {
  const { signal, generation } = turn
  for (;;) {
    const [first] = await readLine(session, path, { signal, generation })
    if (first !== undefined) {
      const node = `${path}/${first}`
      const found = await getOrUndefined(session, node, turn)
      if (found !== undefined) return { id: found.data.toString('utf8'), node, token: tokenOf(found.stat) }
    } else if (await isEmpty(session, path, turn)) return undefined
  }
}

/** Whether no one stands; then a watch is left that fires when someone comes. */
async function isEmpty(session: ZooKeeperSession, path: string, turn: Turn): Promise<boolean> {
  if ((await session.exists(path, turn)) === undefined) return true
  return (await readLine(session, path, turn)).length === 0
}
