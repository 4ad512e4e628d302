import { sleep, type Clock } from '@catchment/runtime'
import { Backoff } from '../session/backoff.ts'
import { aborted, isCode, ZooKeeperError, type Outcome } from '../session/errors.ts'
import { sharedDeadline } from '../session/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../session/session.ts'

const repeatBackoff = { baseMs: 20, maxMs: 1_000 }

/**
 * Repeats `attempt` until a server has answered it: for writes that can happen once only, however often they are sent
 * (at a version, or creating a node of one's own name). A repeat is then no danger, and also bars an earlier attempt that
 * is still under way in the network. An attempt may be several calls, each given `call`: its `timeoutMs` is what is left
 * then.
 *
 * An error that ends it has the outcome `unknown` if any attempt before was: `bad-version`, `node-exists` and `no-node`
 * may then be the work of that attempt, and the caller looks. Ends by `signal` (`aborted`), after `timeoutMs` (`timeout`;
 * no limit unless given), with the session of `generation` (`session-lost`; without one it goes on in the next) or for good
 * (`closed`).
 */
export async function untilAnswered<T>(
  session: Pick<ZooKeeperSession, 'clock' | 'random' | 'sessionTimeoutMs'>,
  attempt: (call: CallOptions) => Promise<T>,
  options: CallOptions = {},
): Promise<T> {
  const { clock } = session
  const { timeoutMs = Infinity } = options
  const left = sharedDeadline(session, { ...options, timeoutMs })
  const backoff = new Backoff(session.random, repeatBackoff)
  let unknown = false
  for (;;) {
    const call = {
      ...options,
      get timeoutMs() {
        return Math.min(left.timeoutMs, 2 * session.sessionTimeoutMs)
      },
    }
    try {
      return await attempt(call)
    } catch (thrown) {
      if (!(thrown instanceof ZooKeeperError)) throw thrown
      unknown ||= thrown.outcome === 'unknown'
      if (!passes(thrown, options.generation) || left.timeoutMs === 0) throw unknown ? inDoubt(thrown) : thrown
      await pause(clock, Math.min(backoff.nextMs(), left.timeoutMs), unknown ? 'unknown' : 'not-done', options.signal)
    }
  }
}

/** Rejects with `aborted` and `outcome`, that of the attempts before, as soon as the caller aborts. */
export async function pause(
  clock: Clock,
  ms: number,
  outcome: Outcome,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await sleep(clock, ms, signal)
  } catch (thrown) {
    throw aborted('wait for the next attempt', signal?.aborted === true ? signal.reason : thrown, outcome)
  }
}

function passes(error: ZooKeeperError, generation: number | undefined): boolean {
  return error.code === 'session-lost' ? generation === undefined : error.retryable
}

/** Removes something of this session until it is certain that it is gone. Never rejects: what hinders it for good is logged. */
export async function untilGone(
  session: ZooKeeperSession,
  path: string,
  remove: (call: CallOptions) => Promise<unknown>,
  generation: number,
): Promise<void> {
  try {
    await untilAnswered(session, remove, { generation })
  } catch (thrown) {
    if (isCode(thrown, 'no-node', 'bad-version', 'session-lost', 'closed')) return
    session.log(`remove ${path} failed`, { error: thrown })
  }
}

/**
 * Looks what became of a write whose answer was lost. A look that fails says nothing about the write: whatever ends it has
 * the outcome `unknown`.
 */
export async function afterLostAnswer<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (thrown) {
    throw thrown instanceof ZooKeeperError ? inDoubt(thrown) : thrown
  }
}

function inDoubt(error: ZooKeeperError): ZooKeeperError {
  const { code, message, operationIndex } = error
  return new ZooKeeperError(code, message, { outcome: 'unknown', cause: error, operationIndex })
}
