import type { Clock, Log, Random } from '@catchment/runtime'
import { InProcessQueues } from './in-process/in-process-queues.ts'
import { LimitedLog } from './limited-log.ts'
import { queueLimits, queueTimes, type QueueLimits, type QueueTimes } from './limits.ts'
import type { Queues } from './queues.ts'
import { parseRedisAddress } from './redis/address.ts'
import type { RedisTls } from './redis/connection.ts'
import { RedisQueues } from './redis/redis-queues.ts'

export interface RedisSettings {
  /** `redis://HOST:PORT/DB`, `redis+sentinel://…/MASTER`, `redis+cluster://…`; `rediss…` over TLS. Without a password. */
  readonly url: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Of the sentinels, where they have one of their own. */
  readonly sentinelPassword?: string | undefined
  readonly tls?: RedisTls | undefined
  /** In front of every key; `catchment` unless given. */
  readonly prefix?: string | undefined
}

export interface QueuesOptions {
  /** The id of the collector: queues of different collectors are different queues. */
  readonly collector: string
  /** Without it the jobs stay in this process. */
  readonly redis?: RedisSettings | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly limits?: Partial<QueueLimits>
  readonly times?: Partial<QueueTimes>
}

/**
 * The queues of a collector. Returns at once, whether Redis is there or not. Throws a CatchmentError `redis-address` when
 * the URL is no address of Redis.
 */
export function openQueues({ collector, redis, clock, random, log, ...given }: QueuesOptions): Queues {
  const limits = { ...queueLimits, ...given.limits }
  const times = { ...queueTimes, ...given.times }
  const limited = new LimitedLog(log, clock, limits.logLinesPerMinuteMax)
  const options = { clock, random, log: limited, limits, times }
  if (redis === undefined) return new InProcessQueues(options)
  const { url, prefix = 'catchment', ...access } = redis
  return new RedisQueues({ ...options, ...access, collector, prefix, address: parseRedisAddress(url) })
}
