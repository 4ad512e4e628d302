import { ignoring } from '../../session/contract/errors.ts'
import { assertGiven, is } from '../../session/contract/given.ts'
import { Acquisition, type Sight } from '../../line/acquisition.ts'
import { agreedLeases, leasesRule } from './agreed-leases.ts'
import { listContenders, type Contender } from '../../line/contenders.ts'
import { readLine } from '../../line/line.ts'
import { Owners, type AcquireOptions } from '../../line/owners.ts'
import { acquirable, type Acquirable } from '../../line/acquiring.ts'
import type { Turn } from '../../following/following.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export interface SemaphoreOptions {
  /** The persistent node of the semaphore; made if it is missing. Its data is the number of leases. */
  readonly path: string
  /** Who, for people who read the tree: the data of the node that stands in line. */
  readonly id: string
  /** How many hold at a time, from 1: what all have to agree on. Without it the number in the tree counts. */
  readonly leases?: number
}

const optionRules = is.options<SemaphoreOptions>({
  path: is.pathBelowRoot,
  id: is.text,
  leases: is.optional(leasesRule),
})

/** Limits of a wait. Leases are not counted by owner: each is one. */
export type LeaseOptions = Omit<AcquireOptions, 'owner'>

/** As Acquirable; rejects with `refused` too, when the tree has another number of leases, or none. */
export interface Semaphore extends Acquirable<LeaseOptions> {
  /** Who stands in line, in order; the holders first. */
  contenders(options?: CallOptions): Promise<Contender[]>
}

/**
 * Leases, of which a limited number is held at a time, each by a session. Sources: ZooKeeper recipes, "Shared Locks", counted;
 * the number in the tree is that of Curator's InterProcessSemaphoreV2 with a SharedCount.
 *
 * Protocol: everyone stands in a line of ephemeral sequential nodes below `path` (line.ts), and holds when fewer than
 * `leases` are before it. A contender that begins to hold writes its own node once more, in one transaction with
 * a check of the number: a version above 0 says "I hold".
 * No herd: the first that waits watches the names in line; every other one watches the node before it, which goes, or is
 * written when it holds, and then this one is the first that waits. So the end of a lease wakes two: the first, which holds
 * now, and the next, which is the first now; an arrival wakes one; a waiter that leaves wakes two. All watch the number.
 *
 * The number: the first that comes with `leases` writes it; who comes later with another one is refused. An operator
 * changes it with resizeSemaphore(), which wakes all who wait and is taken over by all who have agreed before. Fewer leases
 * take none away: who holds keeps its lease, and no one gets one until fewer than the number are before it.
 *
 * States, and what it does when suspended or lost: as exclusiveLock. Guarantee: no more than `leases` are `held` at one
 * instant, if no one else deletes nodes or ends sessions of holders, and since the number was lowered at last no lease is
 * older. Fair: turns come in the order of arrival. Tokens grow with the arrival; holders share, so a lower one is no
 * older holder. A waiter that is stopped holds up those after it by its session timeout at most.
 *
 * Throws `bad-arguments`.
 */
export function semaphore(session: ZooKeeperSession, options: SemaphoreOptions): Semaphore {
  assertGiven('make semaphore', { session, options }, { options: optionRules })
  const { path, id } = options
  const look = lookAtLeases(session, options)
  const owners = new Owners(session, () => new Acquisition(session, { path, kind: 'lease', id, look }))
  return {
    ...acquirable(session, owners, `a lease of ${path}`),
    contenders: (call) => listContenders(session, path, ({ stat }) => stat.version > 0, call),
  }
}

/** What a place in line means: `first` is the first that waits; the others wait for the one before them. */
export type LeaseDecision = 'holds' | 'absent' | 'first' | { readonly waitsFor: string }

/** Fewer than `leases` before it: holds. Pure. */
export function decideLease(line: readonly string[], own: string, leases: number): LeaseDecision {
  const place = line.indexOf(own)
  if (place < 0) return 'absent'
  if (place < leases) return 'holds'
  const before = line[place - 1]
  return place === leases || before === undefined ? 'first' : { waitsFor: before }
}

function lookAtLeases(
  session: ZooKeeperSession,
  options: SemaphoreOptions,
): (own: string, turn: Turn) => Promise<Sight> {
  const { path, id } = options
  const agreed = agreedLeases(session, path, options.leases)

  return async (own, turn) => {
    for (;;) {
      const agreement = await agreed(turn)
      if (agreement === undefined) return 'absent'
      const decision = await look(own, agreement.leases, turn)
      if (decision === 'absent') return 'absent'
      if (decision !== 'holds') return 'waits'
      if (await begin(own, agreement.version, turn)) return 'holds'
    }
  }

  async function look(own: string, leases: number, turn: Turn): Promise<LeaseDecision> {
    const { signal, generation } = turn
    for (;;) {
      const decision = decideLease(await readLine(session, path, { signal, generation }), own, leases)
      if (decision === 'holds' || decision === 'absent') return decision
      if (decision !== 'first') {
        const before = await session.exists(`${path}/${decision.waitsFor}`, turn)
        if (before === undefined) continue
        if (before.version === 0) return decision
      }
      // What the list shows that leaves the watch is what counts: the first one was read before there was any.
      return decideLease(await readLine(session, path, turn), own, leases)
    }
  }

  /** In one transaction with the number that was decided by; false when it, or our node, is another by now. */
  async function begin(own: string, version: number, { signal, generation }: Turn): Promise<boolean> {
    const data = Buffer.from(id)
    const mark: Operation[] = [
      { op: 'check', path, version },
      { op: 'set', path: `${path}/${own}`, data, version: 'any' },
    ]
    return (await ignoring(session.multi(mark, { signal, generation }), 'bad-version', 'no-node')) !== undefined
  }
}
