import { isCode } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, is } from '../../session/contract/given.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { afterLostAnswer, repeated, type Repetition } from '../../attempts/until-answered.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

const repetition: Repetition = {
  passes: (error) =>
    isCode(error, 'bad-version', 'node-exists', 'no-node', 'connection-lost', 'timeout', 'session-moved'),
  backoff: { baseMs: 20, maxMs: 500 },
  attemptsMax: 10,
}

export interface Fence {
  /** Of the node after the claim. */
  readonly version: number
  /** The claim as written. */
  readonly data: Uint8Array
  /** To be put first into every transaction of the holder: once another has claimed, they fail with `bad-version`. */
  readonly check: Operation
}

/**
 * Takes the fence: the persistent node that says who leads, in which term.
 *
 * Protocol: read it, write `claim(previous)` at the version that was read, then sync, so that what the holder reads next is
 * all that its predecessors wrote. From then on every write of a predecessor, which checks the version that it got, fails.
 * If another wrote between, or the answer was lost, it is read and claimed again: `claim` sees what is there, perhaps its
 * own claim, and makes the next one; versions and terms only grow. `claim` may throw to give up. The parent must exist.
 * The node is never deleted: a new one would begin at version 0 again.
 *
 * Rejects after 10 attempts with the last error, or early with `timeout` or `aborted`: its outcome is `unknown` if a claim
 * was written, or may have been. `timeoutMs` bounds the whole. Suspended: waits, until its calls' deadlines. Lost: rejects or goes on in
 * the next session, where the caller leads no more: take the fence only while elected, and pass a signal that ends with it.
 */
export async function acquireFence(
  session: ZooKeeperSession,
  path: string,
  claim: (previous: Uint8Array | undefined) => Uint8Array,
  options: CallOptions = {},
): Promise<Fence> {
  const rules = { path: is.path, claim: is.callback, options: callOptions }
  assertGiven('acquire fence', { session, path, claim, options }, rules)
  const once = async (call: CallOptions): Promise<Fence> => {
    const previous = await getOrUndefined(session, path, call)
    const data = claim(previous?.data)
    if (previous === undefined) await session.create(path, data, 'persistent', call)
    const version = previous === undefined ? 0 : (await session.set(path, data, previous.stat.version, call)).version
    await afterLostAnswer(() => session.sync(path, call)) // written, whatever becomes of the sync
    return { version, data, check: { op: 'check', path, version } }
  }
  return repeated(session, once, options, repetition)
}
