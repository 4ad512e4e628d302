import {
  expectsRealRedis,
  missingRealRedis,
  realRedis,
  tempDirectory,
  type RealRedis,
  type RealRedisOptions,
  type TempDirectory,
} from '@catchment/testing'
import { afterEach, beforeEach, describe, test } from '@jest/globals'
import type { Queues } from '../../src/index.ts'
import { opened } from './opening.ts'

/** What a test on a real Redis has: a directory of its own, and what ends with it. */
export interface Bench {
  readonly directory: string
  open(given: Parameters<typeof opened>[0]): Queues
  /** A Redis, started unless `started` is false; stopped after the queues are closed. */
  redis(given?: Partial<RealRedisOptions> & { readonly started?: boolean }): Promise<RealRedis>
}

/** Defines tests that need a real Redis; where there is none, one test is skipped whose name says so. */
export function onRealRedis(name: string, define: (bench: Bench) => void): void {
  if (!expectsRealRedis()) {
    describe(name, () => {
      test.skip(`all of it: ${missingRealRedis() ?? ''}`, () => undefined)
    })
    return
  }
  describe(name, () => {
    let directory: TempDirectory
    const queues = new Set<Queues>()
    const servers = new Set<RealRedis>()
    beforeEach(async () => {
      directory = await tempDirectory()
    })
    afterEach(async () => {
      await Promise.all([...queues].map((one) => one.close(1_000)))
      await Promise.all([...servers].map((server) => server.stop()))
      queues.clear()
      servers.clear()
      await directory.remove()
    })
    define({
      get directory() {
        return directory.path
      },
      open: (given) => {
        const one = opened(given)
        queues.add(one)
        return one
      },
      redis: async ({ started = true, ...given } = {}) => {
        const server = await realRedis({ directory: directory.path, ...given })
        servers.add(server)
        if (started) await server.start()
        return server
      },
    })
  })
}
