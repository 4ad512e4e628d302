// Workers that lose the lock of their job: blocked, killed, or set aside by another.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually, startProcess, type ChildProcess } from '@catchment/testing'
import { expect, test } from '@jest/globals'
import { jobId, type JobContext } from '../../src/index.ts'
import { onRealRedis, redisBench } from '../suite/bench.ts'
import { done, job } from '../suite/opening.ts'
import { accepted, allDone, doing, empty } from '../suite/waiting.ts'

const program = fileURLToPath(new URL('../programs/queue-worker.ts', import.meta.url))
const worker = (...words: readonly string[]): ChildProcess => startProcess(process.execPath, [program, ...words])
const shortLocks = { lockMs: 400, stalledCheckMs: 150 }

onRealRedis('the lock of a job in the real Redis', () => {
  const bench = redisBench()

  test('is lost by a worker whose event loop is blocked past it: another does the job, and the first may not commit', async () => {
    const redis = await bench.redis()
    const path = join(bench.directory, 'go-on')
    await using blocked = worker('block', redis.url, path)
    const queue = bench.open({ redis: { url: redis.url }, times: shortLocks }).queue('es')
    await accepted(queue)
    await blocked.line((line) => line === 'begun')
    const { processor, ids } = doing()
    queue.work(processor, { concurrency: 1 })
    await allDone(ids, [job(0)])
    await writeFile(path, '')
    expect(await blocked.line((line) => line.startsWith('held'))).toBe('held false')
    await empty(queue)
  })

  test('outlives two workers that were killed within the job: a third one does it, it never fails', async () => {
    const redis = await bench.redis()
    const queue = bench.open({ redis: { url: redis.url }, times: shortLocks }).queue('es')
    await accepted(queue)
    for (const attempt of [1, 2]) {
      await using killed = worker('hang', redis.url)
      await killed.line((line) => line === `begun ${jobId(job(0))} ${attempt}`)
      await killed.kill()
    }
    const attempts: number[] = []
    queue.work((_job, context) => Promise.resolve((attempts.push(context.attempt), done)), { concurrency: 1 })
    await eventually('the third attempt', () => attempts.length === 1)
    expect(attempts).toEqual([3])
    await empty(queue)
    expect(await redis.command('EXISTS', 'catchment:{c1.es}:failed')).toBe(':0\r\n')
  })

  test('is lost when Redis has forgotten it: the signal aborts and held is false', async () => {
    const redis = await bench.redis()
    const queue = bench.open({ redis: { url: redis.url }, times: shortLocks }).queue('es')
    const contexts: JobContext[] = []
    queue.work(
      (_job, context) => {
        contexts.push(context)
        return new Promise((resolve) => {
          context.signal.addEventListener('abort', () => {
            resolve(done)
          })
        })
      },
      { concurrency: 1 },
    )
    await accepted(queue)
    const context = await eventually('the job to run', () => contexts[0])
    expect(context.held()).toBe(true)
    await redis.command('FLUSHALL')
    await eventually('the signal', () => context.signal.aborted)
    expect(context.held()).toBe(false)
    // the outbox adds it again, and it is run again
    await accepted(queue)
    await eventually('the second run', () => contexts.length === 2)
  })

  test('is renewed for as long as the job runs', async () => {
    const redis = await bench.redis()
    const queue = bench.open({ redis: { url: redis.url }, times: { lockMs: 4_000, stalledCheckMs: 100 } }).queue('es')
    const finished = Promise.withResolvers<typeof done>()
    const contexts: JobContext[] = []
    queue.work((_job, context) => (contexts.push(context), finished.promise), { concurrency: 2 })
    await accepted(queue)
    const context = await eventually('the job to run', () => contexts[0])
    const lock = `catchment:{c1.es}:${jobId(job(0))}:lock`
    let leastMs = Infinity
    await eventually('two renewals', async () => {
      const leftMs = Number((await redis.command('PTTL', lock)).slice(1))
      const renewed = leftMs > leastMs
      leastMs = leftMs
      return renewed
    })
    expect([context.held(), contexts.length]).toEqual([true, 1])
    finished.resolve(done)
    await empty(queue)
  })
})
