import { sleep, type Clock } from '@catchment/runtime'
import { Backoff } from '../session/connection/backoff.ts'
import { abortError, isCode, withOutcome, ZooKeeperError, type Outcome } from '../session/contract/errors.ts'
import { sharedDeadline } from '../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../session/contract/session.ts'

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
export function untilAnswered<T>(
  session: Pick<ZooKeeperSession, 'clock' | 'random' | 'sessionTimeoutMs'>,
  attempt: (call: CallOptions) => Promise<T>,
  options: CallOptions = {},
): Promise<T> {
  const passes = (error: ZooKeeperError): boolean =>
    error.code === 'session-lost' ? options.generation === undefined : error.retryable
  return repeated(session, attempt, options, { passes, backoff: { baseMs: 20, maxMs: 1_000 } })
}

export interface Repetition {
  /** Whether another attempt may succeed. */
  readonly passes: (error: ZooKeeperError) => boolean
  readonly backoff: { readonly baseMs: number; readonly maxMs: number }
  /** Without it there is no limit. */
  readonly attemptsMax?: number
}

/** As untilAnswered, for attempts of which other errors pass. The last error has the outcome `unknown` if any had. */
export async function repeated<T>(
  session: Pick<ZooKeeperSession, 'clock' | 'random' | 'sessionTimeoutMs'>,
  attempt: (call: CallOptions) => Promise<T>,
  options: CallOptions,
  { passes, backoff, attemptsMax = Infinity }: Repetition,
): Promise<T> {
  const { clock } = session
  const { timeoutMs = Infinity } = options
  const left = sharedDeadline(session, { ...options, timeoutMs })
  const delays = new Backoff(session.random, backoff)
  let unknown = false
  for (let attempts = 1; ; attempts += 1) {
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
      if (!passes(thrown) || attempts === attemptsMax || left.timeoutMs === 0)
        throw unknown ? withOutcome(thrown, 'unknown') : thrown
      await pause(clock, Math.min(delays.nextMs(), left.timeoutMs), unknown ? 'unknown' : 'not-done', options.signal)
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
    throw abortError('wait for the next attempt', signal?.aborted === true ? signal.reason : thrown, outcome)
  }
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
    throw thrown instanceof ZooKeeperError ? withOutcome(thrown, 'unknown') : thrown
  }
}
