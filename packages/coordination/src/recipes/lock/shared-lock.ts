import { ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven } from '../../session/contract/given.ts'
import { Acquisition, lookAhead, type Decision } from '../../line/acquisition.ts'
import { listContenders, type Contender } from '../../line/contenders.ts'
import { lockOptionRules, type ExclusiveLockOptions } from './exclusive-lock.ts'
import { kindOf } from '../../line/line.ts'
import { acquireRules, Owners, type AcquireOptions } from '../../line/owners.ts'
import { acquirable, type Acquirable } from '../../line/acquiring.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export type SharedLockOptions = ExclusiveLockOptions

/** One side of a shared lock. As Acquirable; rejects with `bad-arguments` too, when the same owner is on the other side. */
export type SharedLockSide = Acquirable

export interface SharedLockContender extends Contender {
  readonly mode: 'read' | 'write'
}

export interface SharedLock {
  readonly read: SharedLockSide
  readonly write: SharedLockSide
  /** Who stands in line, in order. */
  contenders(options?: CallOptions): Promise<SharedLockContender[]>
}

/**
 * A lock that many read or one writes under. Source: ZooKeeper recipes, "Shared Locks".
 *
 * Protocol: readers and writers stand in one line of ephemeral sequential nodes below `path` (line.ts), which say in their
 * names what for. A reader waits for the last writer before it, a writer for the contender directly before it; each watches
 * that node and its own. So the departure of a writer wakes the readers up to the next writer, all of which hold then, and
 * that writer at most; the departure of a reader wakes one writer at most.
 *
 * Fair: turns come in the order of arrival, so readers that come later wait until a writer that waits has had its turn.
 *
 * States, and what it does when suspended or lost: as exclusiveLock. Guarantees, if no one else deletes nodes or ends
 * sessions of holders: while one is `held` for writing no one else is `held`. The token of a writer is higher than those of
 * all who held before it. No upgrade and no downgrade: two readers that both wait to write would wait for ever, so the same
 * `owner` on the other side is refused at once; release first, and look again at what was read before.
 *
 * Throws `bad-arguments`.
 */
export function sharedLock(session: ZooKeeperSession, options: SharedLockOptions): SharedLock {
  assertGiven('make shared lock', { session, options }, { options: lockOptionRules })
  const { path, id } = options
  const look = lookAhead(session, path, decideShared)
  const ownersOf = (kind: 'read' | 'write'): Owners =>
    new Owners(session, () => new Acquisition(session, { path, kind, id, look }))
  const readers = ownersOf('read')
  const writers = ownersOf('write')

  const side = (mode: 'read' | 'write', here: Owners, there: Owners): SharedLockSide => {
    const what = `${path} to ${mode}`
    return acquirable(session, here, what, (call) => {
      refuseChange(`acquire ${what}`, call, there)
    })
  }
  return {
    read: side('read', readers, writers),
    write: side('write', writers, readers),
    contenders: async (call) => {
      const all = await listContenders(session, path, ({ name, line }) => decideShared(line, name) === 'holds', call)
      return all.map((one) => ({ ...one, mode: isWriter(one.node) ? 'write' : 'read' }))
    },
  }
}

/** A reader holds when no writer is before it, a writer when no one is. Pure. */
export function decideShared(line: readonly string[], own: string): Decision {
  const place = line.indexOf(own)
  if (place < 0) return 'absent'
  const before = line.slice(0, place)
  const blocking = isWriter(own) ? before.at(-1) : before.findLast(isWriter)
  return blocking === undefined ? 'holds' : { waitsFor: blocking }
}

function isWriter(name: string): boolean {
  return kindOf(name) === 'write'
}

function refuseChange(name: string, options: AcquireOptions, there: Owners): void {
  assertGiven(name, { options }, { options: acquireRules })
  const { owner } = options
  if (owner === undefined || !there.has(owner)) return
  throw new ZooKeeperError(
    'bad-arguments',
    `${name}: ${owner} is on the other side of this lock, and would wait for itself; release that first`,
  )
}
