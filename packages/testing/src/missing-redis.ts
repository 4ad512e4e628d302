import { existsSync } from 'node:fs'

export const redisServer = '/usr/bin/redis-server'

/** Why `startRealRedis` cannot work on this machine, and what to do; undefined where it can. */
export function missingRealRedis(): string | undefined {
  return existsSync(redisServer) ? undefined : `there is no ${redisServer}: apt-get install redis-server`
}
