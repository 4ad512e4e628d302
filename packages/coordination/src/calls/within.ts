import { aborted, ZooKeeperError, type Outcome } from '../session/errors.ts'
import { assertCallOptions } from '../session/given.ts'
import type { CallOptions, ZooKeeperSession } from '../session/session.ts'

/** What is waited for: for errors, "release /locks/a"; and what its failure to come in time says of it. */
export interface Awaited {
  readonly name: string
  readonly outcome: Outcome
}

/**
 * Waits for something that goes on by itself whether or not anyone waits. Ends early with `timeout` or `aborted`; without
 * `timeoutMs` and `signal` it waits as long as it takes.
 */
export function within<T>(
  session: Pick<ZooKeeperSession, 'clock'>,
  work: Promise<T>,
  awaited: Awaited,
  call: CallOptions = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    work.catch(() => undefined) // it goes on when nobody waits for it any more
    const { name, outcome } = awaited
    assertCallOptions(name, call)
    const { signal, timeoutMs } = call
    const end = (): void => {
      timer?.cancel()
      signal?.removeEventListener('abort', abort)
    }
    const giveUp = (error: ZooKeeperError): void => {
      end()
      reject(error)
    }
    const abort = (): void => {
      giveUp(aborted(name, signal?.reason, outcome))
    }
    const timer =
      timeoutMs === undefined
        ? undefined
        : session.clock.after(Math.max(0, timeoutMs), () => {
            giveUp(new ZooKeeperError('timeout', `${name}: not within ${Math.round(timeoutMs)} ms`, { outcome }))
          })
    signal?.addEventListener('abort', abort, { once: true })
    work.finally(end).then(resolve, reject)
    if (signal?.aborted === true) abort()
  })
}
