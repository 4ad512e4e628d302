import { asError } from '@catchment/runtime'
import { assertGiven, is } from '../session/contract/given.ts'
import type { ZooKeeperSession } from '../session/contract/session.ts'
import type { Hold } from './hold.ts'
import type { AcquireOptions, Owners } from './owners.ts'

/** Ways to hold what is waited for in a line. */
export interface Acquirable<Options = AcquireOptions> {
  /**
   * Waits for its turn, without limit unless `timeoutMs` or `signal` is given. Rejects with `timeout`, `aborted` or
   * `closed`, and with errors that are not retryable (`no-auth`, …).
   */
  acquire(options?: Options): Promise<Hold>
  /** Undefined when it would have to wait for others; then nothing of ours is left in the line. Waits for servers only. */
  tryAcquire(options?: Options): Promise<Hold | undefined>
  /** Acquires, hands the hold to `work`, releases whatever happens, and ends as `work` did. */
  run<T>(work: (hold: Hold) => Promise<T>, options?: Options): Promise<T>
}

/**
 * Acquires for owners. `what` is for errors: "acquire /locks/a". `refuse` throws where a call cannot be right. A release that is
 * not certain in time goes on by itself and is logged: it does not undo what the work has done.
 */
export function acquirable(
  session: ZooKeeperSession,
  owners: Owners,
  what: string,
  refuse: (options: AcquireOptions) => void = () => undefined,
): Acquirable {
  const acquire = async (options: AcquireOptions = {}): Promise<Hold> => {
    refuse(options)
    return owners.acquire(`acquire ${what}`, options)
  }
  return {
    acquire,
    tryAcquire: async (options = {}) => {
      refuse(options)
      return owners.tryAcquire(`try to acquire ${what}`, options)
    },
    run: async (work, options) => {
      assertGiven('run with a hold', { work }, { work: is.callback })
      const hold = await acquire(options)
      try {
        return await work(hold)
      } finally {
        await hold.release().catch((thrown: unknown) => {
          session.log('a release goes on', { error: asError(thrown) })
        })
      }
    },
  }
}
