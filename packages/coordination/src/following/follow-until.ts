import { sessionClosed, ZooKeeperError } from '../session/contract/errors.ts'
import { assertCallOptions } from '../session/contract/given.ts'
import { within } from '../attempts/within.ts'
import { Following, type Turn } from './following.ts'
import type { CallOptions, SessionState, ZooKeeperSession } from '../session/contract/session.ts'

export interface UntilOptions<T> {
  /** What is waited for, for errors and the log: "wait for barrier /b". */
  readonly name: string
  readonly path: string
  /** Whether the first turn has to see everything that was committed before; it has unless given. */
  readonly sync?: boolean
  /** Looks, leaving watches; undefined: not yet. Hands `signal` to each of its calls. */
  readonly turn: (turn: Turn) => Promise<T | undefined>
}

/**
 * Follows until a turn finds what is waited for.
 *
 * What passes (a lost connection, a lost session) is tried again; any other error of a turn rejects at once. Ends early with
 * `aborted` by the signal, `timeout` after `timeoutMs` (without it there is no limit), `closed` with the session. When it
 * ends, in whatever way, no turn runs and no call of one is under way: what is undone then is not done again.
 */
export async function followUntil<T>(
  session: ZooKeeperSession,
  options: UntilOptions<T>,
  call: CallOptions = {},
): Promise<T> {
  const { name, path } = options
  assertCallOptions(name, call)
  const found = Promise.withResolvers<T>()
  let synced = options.sync === false
  const following = new Following<void>(session, {
    name,
    path,
    turn: async (turn) => {
      try {
        if (!synced) await session.sync(path, { signal: turn.signal })
        synced = true
        const value = await options.turn(turn)
        if (value === undefined) return
        found.resolve(value)
      } catch (thrown) {
        if (thrown instanceof ZooKeeperError && thrown.retryable) throw thrown
        found.reject(thrown)
      }
      following.end() // at once: no other turn begins
    },
  })
  const refuseIfClosed = (state: SessionState): void => {
    if (state === 'closed') found.reject(new ZooKeeperError('closed', `${name}: ${sessionClosed}`))
  }
  const unsubscribe = session.onState(refuseIfClosed)
  refuseIfClosed(session.state)
  try {
    return await within(session, found.promise, { name, outcome: 'not-done' }, call)
  } finally {
    unsubscribe()
    await following.close()
  }
}
