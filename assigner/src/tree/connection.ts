import { isCode, type openSession, type ZooKeeperSession } from '@catchment/coordination'
import { fullJitter, retry, type Clock, type Log, type Random } from '@catchment/runtime'

export interface ConnectingOptions {
  readonly zookeeper: string
  readonly sessionTimeoutMs: number
  readonly openSession: typeof openSession
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Of one attempt: short, because a program that is asked to end meanwhile is to end soon. */
const connectTimeoutMs = 2_000

/** A session; waits for ZooKeeper until `signal` aborts, then throws its reason. */
export async function connect(options: ConnectingOptions, signal: AbortSignal): Promise<ZooKeeperSession> {
  const { clock, random, log } = options
  const attempt = async (): Promise<ZooKeeperSession> =>
    await options.openSession({
      servers: options.zookeeper,
      sessionTimeoutMs: options.sessionTimeoutMs,
      connectTimeoutMs,
      clock,
      random,
      log: (message, fields) => {
        log.debug(message, { ...fields })
      },
    })
  const onFailure = (error: Error): void => {
    if (!isCode(error, 'unreachable')) throw error
    log.warn('ZooKeeper does not answer, trying again', { reason: error.message })
  }
  const policy = fullJitter(random, { baseMs: 200, maxMs: 5_000 })
  try {
    return await retry(attempt, { clock, policy, signal, onFailure })
  } catch (thrown) {
    signal.throwIfAborted()
    throw thrown
  }
}
