import { ZooKeeperError, type Outcome } from '../session/errors.ts'
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
  { signal, timeoutMs }: CallOptions = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      timer?.cancel()
      signal?.removeEventListener('abort', abort)
    }
    const giveUp = (code: 'timeout' | 'aborted', why: string): void => {
      end()
      reject(new ZooKeeperError(code, `${awaited.name}: ${why}`, { outcome: awaited.outcome, cause: signal?.reason }))
    }
    const abort = (): void => {
      giveUp('aborted', 'aborted by the caller')
    }
    const timer =
      timeoutMs === undefined
        ? undefined
        : session.clock.after(timeoutMs, () => {
            giveUp('timeout', `not within ${timeoutMs} ms`)
          })
    signal?.addEventListener('abort', abort, { once: true })
    work.finally(end).then(resolve, reject)
    if (signal?.aborted === true) abort()
  })
}
