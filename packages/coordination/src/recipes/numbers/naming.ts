import { ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, is } from '../../session/contract/given.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'
import type { Stat } from '../../session/contract/nodes.ts'
import { sharedDeadline } from '../../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export interface SequentialIdsOptions {
  /** The persistent node that counts; made if it is missing, never to be deleted: it would begin from 1 again. */
  readonly path: string
  /** In front of the ten digits. */
  readonly prefix: string
}

const optionRules = is.options<SequentialIdsOptions>({ path: is.path, prefix: is.text })

export interface SequentialIds {
  /** An id that no one else gets; it sorts, as text, after every id that was resolved before this call. */
  next(options?: CallOptions): Promise<string>
}

/**
 * Unique ids in order, `<prefix>0000000001` and so on. Source: the sequence numbers of ZooKeeper's recipes; but it is the
 * version of `path` that counts, which every write takes one further: one write an id, no nodes to be removed afterwards.
 *
 * Guarantees: unique and ordered over all who use `path`, whatever prefix they take. Not gapless: a call whose answer was
 * lost is repeated and wastes a number, as does one that ends early. Suspended or lost: goes on when connected again, without
 * limit unless `timeoutMs` is given.
 * Limit: 2^31 - 1 ids; the next is refused with `refused`: go on at another path, with a prefix that sorts after.
 *
 * Throws `bad-arguments`.
 */
export function sequentialIds(session: ZooKeeperSession, options: SequentialIdsOptions): SequentialIds {
  assertGiven('make sequential ids', { session, options }, { options: optionRules })
  const { path, prefix } = options
  return {
    next: async (call = {}) => {
      assertGiven(`next id of ${path}`, { options: call }, { options: callOptions })
      const left = sharedDeadline(session, call)
      const count = (each: CallOptions): Promise<Stat> => session.set(path, new Uint8Array(), 'any', each)
      for (;;) {
        const counted = await ignoring(untilAnswered(session, count, left), 'no-node')
        if (counted !== undefined) return sequentialId(path, prefix, counted.version)
        await untilAnswered(session, (each) => session.ensurePath(path, each), left)
      }
    },
  }
}

/** Versions go on below zero after 2^31 - 1. Pure. */
export function sequentialId(path: string, prefix: string, version: number): string {
  if (version > 0) return `${prefix}${String(version).padStart(10, '0')}`
  throw new ZooKeeperError(
    'refused',
    `next id of ${path}: all 2^31 - 1 have been given; go on at another path, with a prefix that sorts after`,
  )
}
