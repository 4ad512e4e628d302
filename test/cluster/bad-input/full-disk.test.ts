import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { environment } from '@catchment/runtime'
import { patienceMs, tempDirectory } from '@catchment/testing'
import { storyMs, until } from '../programs/until.ts'
import { Corner, startCluster } from './corner.ts'
import { canMakeSmallDisks, growSmallDisk, withSmallDisk } from './small-disk.ts'

// Where mounting is not allowed, in a namespace either, there is no small disk; in CI that is a failure and no excuse.
const whereDisks = canMakeSmallDisks || environment()['CI'] === 'true' ? describe : describe.skip

whereDisks('a full disk (needs unshare and tmpfs)', () => {
  test(
    'pushes back, and everything arrives when there is room',
    async () => {
      await using directory = await tempDirectory()
      const small = join(directory.path, 'data', 'c1')
      mkdirSync(small, { recursive: true })
      await using cluster = await startCluster(directory.path, { beforeCollector: (data) => withSmallDisk(data, 8) })
      await using corner = new Corner(cluster, 'big')
      const big = corner.write('big.log', '')
      for (let i = 0; i < 24; i += 1) appendFileSync(big, `${randomBytes(512 * 1024).toString('hex')}\n`)
      await corner.agent.start()
      await until(
        'a full disk',
        patienceMs,
        () => /no room|no-space|507/.exec(readFileSync(cluster.logOf('big'), 'utf8')) ?? undefined,
      )
      expect(cluster.collectors[0]?.alive).toBe(true)
      growSmallDisk(cluster.collectors[0]?.program?.pid ?? 0, small, 128)
      await corner.mirrors(big)
    },
    storyMs,
  )
})
