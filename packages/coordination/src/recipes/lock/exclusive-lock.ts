import { assertGiven, is } from '../../session/contract/given.ts'
import { Acquisition, decideExclusive, lookAhead } from '../../line/acquisition.ts'
import { listContenders, type Contender } from '../../line/contenders.ts'
import { Owners } from '../../line/owners.ts'
import { acquirable, type Acquirable } from '../../line/acquiring.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export interface ExclusiveLockOptions {
  /** The persistent node of the lock; made if it is missing. */
  readonly path: string
  /** Who, for people who read the tree: the data of the node that stands in line. */
  readonly id: string
}

/** Of both kinds of lock. */
export const lockOptionRules = is.options<ExclusiveLockOptions>({ path: is.pathBelowRoot, id: is.text })

export interface ExclusiveLock extends Acquirable {
  /** Who stands in line, in order; the first holds. */
  contenders(options?: CallOptions): Promise<Contender[]>
}

/**
 * A lock that one holds at a time. Source: ZooKeeper recipes, "Locks"; the fencing token is that of M. Kleppmann, "How to
 * do distributed locking", 2016.
 *
 * Protocol: everyone stands in a line of ephemeral sequential nodes below `path` (line.ts); the first holds. Each waits for
 * the one before it alone, and watches that node and its own: one departure wakes one contender. Who holds watches its own.
 *
 * States of an acquisition: waiting → held ⇄ in doubt → over (hold.ts). Suspended: waits on; `held` is false until the same
 * session is connected again and the node was seen. Lost while waiting: stands again, at the end. Lost while held: over.
 *
 * Guarantees: no two are `held` at the same instant, if no one else deletes nodes or ends sessions of holders, news of which
 * takes time to arrive. Tokens grow strictly from holder to holder, always: what is written to refuses lower ones. Fair:
 * turns come in the order of arrival. Nothing that was created, or may have been, stays in the line.
 *
 * Limits: one node and two watches per contender; who shares the object under the same `owner` shares the place.
 *
 * Throws `bad-arguments`.
 */
export function exclusiveLock(session: ZooKeeperSession, options: ExclusiveLockOptions): ExclusiveLock {
  assertGiven('make exclusive lock', { session, options }, { options: lockOptionRules })
  const { path, id } = options
  const look = lookAhead(session, path, decideExclusive)
  const owners = new Owners(session, () => new Acquisition(session, { path, kind: 'lock', id, look }))
  return {
    ...acquirable(session, owners, path),
    contenders: (call) =>
      listContenders(session, path, ({ name, line }) => decideExclusive(line, name) === 'holds', call),
  }
}
