import { ZooKeeperError } from '../../session/errors.ts'
import { assertGiven } from '../../session/given.ts'
import { Acquisition, lookAhead, type Decision } from '../../line/acquisition.ts'
import { listContenders, type Contender } from '../../line/contenders.ts'
import { lockOptionRules, type ExclusiveLockOptions } from './exclusive-lock.ts'
import { kindOf } from '../../line/line.ts'
import { acquireRules, Owners, type AcquireOptions } from '../../line/owners.ts'
import { working } from '../../line/working.ts'
import type { Hold } from '../../line/hold.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/session.ts'

export type SharedLockOptions = ExclusiveLockOptions

/** One side of a shared lock. */
export interface SharedLockSide {
  /**
   * Waits for its turn, without limit unless `timeoutMs` or `signal` is given. Rejects with `timeout`, `aborted` or
   * `closed`, with errors that do not pass (`no-auth`, …), and with `bad-arguments` when the same owner is on the other side.
   */
  acquire(options?: AcquireOptions): Promise<Hold>
  /** Undefined when it would have to wait for another; then nothing of ours is left in the line. Waits for servers only. */
  tryAcquire(options?: AcquireOptions): Promise<Hold | undefined>
  /** Acquires, hands the hold to `work`, releases whatever happens, and ends as `work` did. */
  run<T>(work: (hold: Hold) => Promise<T>, options?: AcquireOptions): Promise<T>
}

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
 * names what for. A reader waits for the last writer before it, a writer for whoever is directly before it; each watches
 * that node and its own. So the departure of a writer wakes the readers up to the next writer, all of which hold then, and
 * that writer at most; the departure of a reader wakes one writer at most.
 *
 * Fair: turns come in the order of arrival, so readers that come later wait behind a writer that waits.
 *
 * States, and what it does when suspended or lost: as exclusiveLock. Guarantees, if nobody else deletes nodes or ends
 * sessions of holders: while one is `held` for writing nobody else is `held`. The token of a writer is higher than those of
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
    const name = `acquire ${path} to ${mode}`
    const acquire = async (call: AcquireOptions = {}): Promise<Hold> => {
      refuseChange(name, call, there)
      return here.acquire(name, call)
    }
    return {
      acquire,
      tryAcquire: async (call = {}) => {
        refuseChange(name, call, there)
        return here.tryAcquire(name, call)
      },
      run: (work, call) => working(session, () => acquire(call), work),
    }
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

/** A reader holds when no writer is before it, a writer when nobody is. Pure. */
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
