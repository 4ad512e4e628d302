// The end of a program under every state of Redis: close resolves by its deadline, and nothing keeps the process.

import { fileURLToPath } from 'node:url'
import { startProcess, type ChildProcess, type RealRedis } from '@catchment/testing'
import { expect, test } from '@jest/globals'
import { onRealRedis, redisBench } from '../suite/bench.ts'
import { jobsUpTo } from '../suite/opening.ts'
import { accepted, doing } from '../suite/waiting.ts'

const program = fileURLToPath(new URL('../programs/queue-worker.ts', import.meta.url))
const worker = (...words: readonly string[]): ChildProcess => startProcess(process.execPath, [program, ...words])

async function endsBySelf(child: ChildProcess): Promise<void> {
  child.write('close\n')
  const end = await child.ended
  expect({ ...end, output: child.output }).toEqual({
    ...{ code: 0, signal: null },
    output: { stdout: expect.stringMatching(/closed 0\n$/), stderr: '' },
  })
}

onRealRedis('close while the real Redis', () => {
  const bench = redisBench()

  const states: readonly (readonly [string, (redis: RealRedis) => Promise<void>])[] = [
    ['is well', () => Promise.resolve()],
    ['is down', (redis) => redis.stop()],
    [
      'hangs',
      (redis) => {
        redis.suspend()
        return Promise.resolve()
      },
    ],
    [
      'refuses writes',
      async (redis) => {
        await redis.command('CONFIG', 'SET', 'maxmemory', '1')
      },
    ],
  ]
  test.each(states)('%s: a job that runs is aborted, and the process ends by itself', async (_name, enter) => {
    const redis = await bench.redis()
    await using child = worker('hang', redis.url)
    const queue = bench.open({ redis: { url: redis.url } }).queue('es')
    await accepted(queue, jobsUpTo(3))
    await child.line((line) => line.startsWith('begun'))
    await enter(redis)
    await endsBySelf(child)
  })

  test('was never there: the process ends by itself', async () => {
    const redis = await bench.redis({ started: false })
    await using child = worker('hang', redis.url)
    await child.line((line) => line === 'open')
    await endsBySelf(child)
  })

  test('is well, right after opening: no job begins after close has resolved', async () => {
    const redis = await bench.redis()
    await accepted(bench.open({ redis: { url: redis.url } }).queue('es'), jobsUpTo(10))
    for (const turns of [0, 1, 5, 20, 60]) {
      const queues = bench.open({ redis: { url: redis.url } })
      const { processor, ids } = doing()
      queues.queue('es').work(processor, { concurrency: 1 })
      for (let turn = 0; turn < turns; turn += 1) await redis.command('PING')
      await queues.close(1_000)
      const begun = ids.length
      for (let turn = 0; turn < 20; turn += 1) await redis.command('PING')
      expect(ids).toHaveLength(begun)
    }
  })
})
