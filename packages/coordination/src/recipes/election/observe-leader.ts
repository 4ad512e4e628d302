import { getOrUndefined } from '../../calls/get-or-undefined.ts'
import { assertGiven, is } from '../../session/given.ts'
import { listContenders, type Contender } from '../../line/contenders.ts'
import { tell } from '../../session/tell.ts'
import { Following, type Turn } from '../../following/following.ts'
import { tokenOf } from '../../line/hold.ts'
import { readLine } from '../../line/line.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/session.ts'

/** Who leads, as the tree shows it. */
export interface Leader {
  readonly id: string
  /** Path of its node. */
  readonly node: string
  /** Its fencing token: grows from leader to leader. */
  readonly token: bigint
}

export interface ObserveLeaderOptions {
  /** The node of the election. */
  readonly path: string
  /** Undefined: nobody stands. Called first with who leads, then on change. */
  readonly onLeader: (leader: Leader | undefined) => void
  /** True: who was told may lead no more (session suspended or lost). False: it has been read again. */
  readonly onStale?: (stale: boolean) => void
  /** Reads again this often even if no watch fires; 30 s unless given. */
  readonly rereadMs?: number
}

const optionRules = is.options<ObserveLeaderOptions>({
  path: is.pathBelowRoot,
  onLeader: is.callback,
  onStale: is.optional(is.callback),
  rereadMs: is.optional(is.milliseconds),
})

export interface ObservedLeader {
  /** As last told. */
  readonly leader: Leader | undefined
  readonly stale: boolean
  /** Sync, then read: resolves with nothing older than this call, told before. Rejects if that read fails. */
  refresh(): Promise<Leader | undefined>
  /** Who stands, in order; the first leads. At most the first 1,000. */
  candidates(options?: CallOptions): Promise<Contender[]>
  close(): Promise<void>
}

/**
 * Follows who leads an election (joinElection) without standing in it.
 *
 * Protocol: read the line, then the first node with a watch; it alone is watched, as nobody ever comes in before it. While
 * nobody stands, the node of the election is watched. So a change of the leader wakes each observer once, and candidates
 * that come and go behind it wake nobody.
 *
 * Guarantees: each change is told at least as its latest state, never an older leader after a newer one: tokens only grow.
 * The first in line may be suspended at this instant and know that it may not act: that it leads is its own to say.
 * Suspended or lost: `onStale(true)`, and the last one told stands.
 *
 * Throws `bad-arguments`.
 */
export function observeLeader(session: ZooKeeperSession, options: ObserveLeaderOptions): ObservedLeader {
  assertGiven('observe leader', { session, options }, { options: optionRules })
  const { path } = options
  let told: { readonly leader: Leader | undefined } | undefined
  const following = new Following<Leader | undefined>(session, {
    name: `leader of ${path}`,
    path,
    rereadMs: options.rereadMs,
    onStale: (stale) => options.onStale?.(stale),
    turn: (turn) => readLeader(session, path, turn),
    deliver: (leader) => {
      if (told !== undefined && told.leader?.node === leader?.node) return
      told = { leader }
      tell(session.log, `onLeader of ${path}`, options.onLeader.bind(options), leader)
    },
  })
  return {
    get leader() {
      return told?.leader
    },
    get stale() {
      return following.stale
    },
    refresh: () => following.refresh(true),
    candidates: (call) => listContenders(session, path, ({ name, line }) => line[0] === name, call),
    close: () => following.close(),
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

/** Whether nobody stands; then a watch is left behind that tells when somebody comes. */
async function isEmpty(session: ZooKeeperSession, path: string, turn: Turn): Promise<boolean> {
  if ((await session.exists(path, turn)) === undefined) return true
  return (await readLine(session, path, turn)).length === 0
}
