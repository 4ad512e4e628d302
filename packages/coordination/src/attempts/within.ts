import { limited, type Awaited } from '../session/calls/limited.ts'
import { assertCallOptions } from '../session/contract/given.ts'
import type { CallOptions, ZooKeeperSession } from '../session/contract/session.ts'

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
    work.catch(() => undefined) // it goes on when no one waits for it any more
    assertCallOptions(awaited.name, call)
    const unlimit = limited(session.clock, call, () => awaited, reject)
    work.finally(unlimit).then(resolve, reject)
  })
}
