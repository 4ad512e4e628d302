import { asError } from '@catchment/runtime'
import { assertGiven, is } from '../session/given.ts'
import type { Hold } from './hold.ts'
import type { ZooKeeperSession } from '../session/session.ts'

/**
 * Runs `work` while it holds, and ends as `work` did. It always releases, and waits for that; a release that is not certain
 * in time goes on by itself and is logged: it does not undo what the work has done.
 */
export async function working<T>(
  session: ZooKeeperSession,
  acquire: () => Promise<Hold>,
  work: (hold: Hold) => Promise<T>,
): Promise<T> {
  assertGiven('run with a hold', { work }, { work: is.callback })
  const hold = await acquire()
  try {
    return await work(hold)
  } finally {
    await hold.release().catch((thrown: unknown) => {
      session.log('a release goes on', { error: asError(thrown) })
    })
  }
}
