import {
  expectsRealRedis,
  realRedis,
  tempDirectory,
  type RealRedis,
  type RealRedisOptions,
  type TempDirectory,
} from '@catchment/testing'
import { afterEach, beforeEach, describe } from '@jest/globals'
import type { Queues } from '../../src/index.ts'
import { opened, type Given } from './opening.ts'

/** `describe` where there is a Redis, which in CI there has to be; elsewhere each of its tests is skipped by its name. */
export const onRealRedis = expectsRealRedis() ? describe : describe.skip

export type Open = (given?: Given) => Queues

/** Opens queues that are closed after each test. */
export function queuesBench(): Open {
  const queues = new Set<Queues>()
  afterEach(async () => {
    await Promise.all([...queues].map((one) => one.close(1_000)))
    queues.clear()
  })
  return (given) => {
    const one = opened(given)
    queues.add(one)
    return one
  }
}

/** What a test on a real Redis has: a directory of its own, and what ends with it. */
export interface RedisBench {
  readonly directory: string
  readonly open: Open
  /** A Redis, started unless `started` is false; stopped after the queues are closed. */
  redis(given?: Partial<RealRedisOptions> & { readonly started?: boolean }): Promise<RealRedis>
}

export function redisBench(): RedisBench {
  let directory: TempDirectory
  const servers = new Set<RealRedis>()
  const open = queuesBench() // its hook runs first: queues are closed before their Redis stops
  beforeEach(async () => {
    directory = await tempDirectory()
  })
  afterEach(async () => {
    await Promise.all([...servers].map((server) => server.stop()))
    servers.clear()
    await directory.remove()
  })
  return {
    get directory() {
      return directory.path
    },
    open,
    redis: async ({ started = true, ...given } = {}) => {
      const server = await realRedis({ directory: directory.path, ...given })
      servers.add(server)
      if (started) await server.start()
      return server
    },
  }
}
