import { asError } from '@catchment/runtime'
import { aborted, sessionClosed, ZooKeeperError } from '../session/errors.ts'
import { assertCallOptions } from '../session/given.ts'
import { Following, type Turn } from './following.ts'
import type { CallOptions, ZooKeeperSession } from '../session/session.ts'

export interface UntilOptions<T> {
  /** What is waited for, for errors and the log: "wait for barrier /b". */
  readonly name: string
  readonly path: string
  /** Whether the first turn has to see everything that was committed before; it has unless given. */
  readonly sync?: boolean
  /** Looks, leaving watches behind; undefined: not yet. Hands `signal` to each of its calls. */
  readonly turn: (turn: Turn) => Promise<T | undefined>
}

/**
 * Follows until a turn finds what is waited for.
 *
 * What passes (a lost connection, a lost session) is tried again; any other error of a turn rejects at once. Ends early with
 * `aborted` by the signal, `timeout` after `timeoutMs` (without it there is no limit), `closed` with the session. When it
 * ends, in whatever way, no turn runs and no call of one is under way: what is undone then is not done again.
 */
export function followUntil<T>(
  session: ZooKeeperSession,
  options: UntilOptions<T>,
  call: CallOptions = {},
): Promise<T> {
  const { name, path } = options
  return new Promise((resolve, reject) => {
    assertCallOptions(name, call)
    const { signal, timeoutMs } = call
    let ended = false
    const end = (settle: () => void): void => {
      if (ended) return
      ended = true
      timer?.cancel()
      unsubscribe()
      signal?.removeEventListener('abort', abort)
      void following.close().then(settle)
    }
    const giveUp = (error: ZooKeeperError): void => {
      end(() => {
        reject(error)
      })
    }
    const closed = (): void => {
      giveUp(new ZooKeeperError('closed', `${name}: ${sessionClosed}`))
    }
    const abort = (): void => {
      giveUp(aborted(name, signal?.reason))
    }
    const timer =
      timeoutMs === undefined
        ? undefined
        : session.clock.after(Math.max(0, timeoutMs), () => {
            giveUp(new ZooKeeperError('timeout', `${name}: not within ${Math.round(timeoutMs)} ms`))
          })
    const unsubscribe = session.onState((state) => {
      if (state === 'closed') closed()
    })
    signal?.addEventListener('abort', abort, { once: true })
    let synced = options.sync === false
    const following = new Following<void>(session, {
      name,
      path,
      turn: async (turn) => {
        try {
          if (!synced) await session.sync(path, { signal: turn.signal })
          synced = true
          const found = await options.turn(turn)
          if (found === undefined) return
          end(() => {
            resolve(found)
          })
        } catch (thrown) {
          if (thrown instanceof ZooKeeperError && thrown.retryable) throw thrown
          end(() => {
            reject(asError(thrown))
          })
        }
      },
    })
    if (signal?.aborted === true) abort()
    if (session.state === 'closed') closed()
  })
}
