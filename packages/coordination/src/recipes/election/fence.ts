import { Backoff } from '../../session/backoff.ts'
import { isCode, ZooKeeperError, type Outcome } from '../../session/errors.ts'
import { assertGiven, callOptions, is } from '../../session/given.ts'
import { sharedDeadline } from '../../session/shared-deadline.ts'
import { getOrUndefined } from '../../calls/get-or-undefined.ts'
import { pause } from '../../calls/until-answered.ts'
import type { Operation } from '../../session/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/session.ts'

const attemptsMax = 10
const attemptBackoff = { baseMs: 20, maxMs: 500 }

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
 * If another wrote between, or the answer was lost, it is read and claimed anew: `claim` sees what is there, perhaps its
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
  const { clock, random } = session
  const left = sharedDeadline(session, options)
  const backoff = new Backoff(random, attemptBackoff)
  const claiming = new Claiming(session, path, claim)
  for (let attempt = 1; ; attempt += 1)
    try {
      return await claiming.once(left)
    } catch (thrown) {
      const { timeoutMs = Infinity } = left
      if (!passes(thrown) || attempt === attemptsMax || timeoutMs === 0) throw claiming.inDoubt(thrown)
      await pause(clock, Math.min(backoff.nextMs(), timeoutMs), claiming.outcome, left.signal)
    }
}

function passes(thrown: unknown): boolean {
  return isCode(thrown, 'bad-version', 'node-exists', 'no-node', 'connection-lost', 'timeout', 'session-moved')
}

class Claiming {
  readonly #session: ZooKeeperSession
  readonly #path: string
  readonly #claim: (previous: Uint8Array | undefined) => Uint8Array
  #outcome: Outcome = 'not-done'

  constructor(session: ZooKeeperSession, path: string, claim: (previous: Uint8Array | undefined) => Uint8Array) {
    this.#session = session
    this.#path = path
    this.#claim = claim
  }

  /** Of all attempts so far. */
  get outcome(): Outcome {
    return this.#outcome
  }

  /** The error as what it says of all attempts. */
  inDoubt(thrown: unknown): unknown {
    if (!(thrown instanceof ZooKeeperError) || thrown.outcome === this.#outcome) return thrown
    return new ZooKeeperError(thrown.code, thrown.message, { outcome: this.#outcome, cause: thrown })
  }

  async once(call: CallOptions): Promise<Fence> {
    const path = this.#path
    const previous = await getOrUndefined(this.#session, path, call)
    const data = this.#claim(previous?.data)
    const version = await this.#write(data, previous?.stat.version, call)
    await this.#session.sync(path, call)
    return { version, data, check: { op: 'check', path, version } }
  }

  /** The version that it gave. */
  async #write(data: Uint8Array, previous: number | undefined, call: CallOptions): Promise<number> {
    try {
      if (previous === undefined) await this.#session.create(this.#path, data, 'persistent', call)
      const version = previous === undefined ? 0 : (await this.#session.set(this.#path, data, previous, call)).version
      this.#outcome = 'unknown'
      return version
    } catch (thrown) {
      if (thrown instanceof ZooKeeperError && thrown.outcome === 'unknown') this.#outcome = 'unknown'
      throw thrown
    }
  }
}
