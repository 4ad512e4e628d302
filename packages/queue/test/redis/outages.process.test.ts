// Redis down, hanging, full, emptied, set back: each costs time and nothing else.

import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { collectingLog, eventually } from '@catchment/testing'
import { expect, test } from '@jest/globals'
import { jobId } from '../../src/index.ts'
import { onRealRedis, redisBench } from '../suite/bench.ts'
import { job, jobsUpTo } from '../suite/opening.ts'
import { accepted, allDone, doing, empty, noProblems, problem, reconciled, refusedAs } from '../suite/waiting.ts'

onRealRedis('queues while the real Redis', () => {
  const bench = redisBench()

  test('is not there yet: adds are refused at once as away; all goes on when it comes', async () => {
    const redis = await bench.redis({ started: false })
    const queues = bench.open({ redis: { url: redis.url } })
    const queue = queues.queue('es')
    const { processor, ids } = doing()
    queue.work(processor, { concurrency: 1 })
    expect(await queue.add(jobsUpTo(2))).toMatchObject({
      accepted: 0,
      unknown: [],
      refused: jobsUpTo(2),
      reason: 'away',
    })
    expect([await queue.counts(), await queue.jobs('waiting', 1)]).toEqual([undefined, undefined])
    await problem(queues, 'redis-away')
    await redis.start()
    await accepted(queue, jobsUpTo(2))
    await allDone(ids, jobsUpTo(2))
    await noProblems(queues)
  })

  test('is down and comes back empty: what it lost is there again after reconcile, and workers go on by themselves', async () => {
    const redis = await bench.redis()
    const queues = bench.open({ redis: { url: redis.url } })
    const queue = queues.queue('es')
    const { processor, ids } = doing()
    queue.pause()
    queue.work(processor, { concurrency: 4 })
    await accepted(queue, jobsUpTo(10))
    await redis.stop()
    await refusedAs(queue, 'away')
    await problem(queues, 'redis-away')
    await redis.start()
    expect(await reconciled(queue, jobsUpTo(10))).toBe(0)
    expect(ids).toEqual([]) // it was paused before
    queue.resume()
    await allDone(ids, jobsUpTo(10))
    await empty(queue)
    await noProblems(queues)
  })

  test('hangs: an add ends as unknown and the job is there afterwards; the next calls do not wait', async () => {
    const redis = await bench.redis()
    const times = { commandMs: 300, hold: { baseMs: 3_600_000, maxMs: 3_600_000 } }
    const queues = bench.open({ redis: { url: redis.url }, times })
    const queue = queues.queue('es')
    await accepted(queue, [job(0)])
    redis.suspend()
    expect(await queue.add([job(1)])).toMatchObject({ accepted: 0, unknown: [job(1)], refused: [], reason: 'hanging' })
    expect(await queue.add([job(2)])).toMatchObject({ unknown: [], refused: [job(2)], reason: 'hanging' })
    await problem(queues, 'redis-hanging')
    redis.wake()
    const healed = bench.open({ redis: { url: redis.url } }).queue('es')
    await eventually('the job to be there although its add had no answer', async () =>
      (await healed.jobs('waiting', 10))?.some(({ id }) => id === jobId(job(1))),
    )
    expect(await reconciled(healed, jobsUpTo(3))).toBe(2)
    expect(await healed.counts()).toMatchObject({ waiting: 3 })
  })

  test('is flushed: reconcile brings every job back, and a pause stays', async () => {
    const redis = await bench.redis()
    const queue = bench.open({ redis: { url: redis.url } }).queue('es')
    const { processor, ids } = doing()
    queue.work(processor, { concurrency: 2 })
    await accepted(queue, [job(50)])
    await allDone(ids, [job(50)])
    queue.pause()
    await accepted(queue, jobsUpTo(5))
    await redis.command('FLUSHALL')
    expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0 })
    expect(await reconciled(queue, jobsUpTo(8))).toBe(0)
    expect(await queue.counts()).toEqual({ waiting: 8, active: 0, delayed: 0 })
    expect(ids).toEqual([jobId(job(50))])
    queue.resume()
    await allDone(ids, jobsUpTo(8))
  })

  test('is set back to older data (a lost second of AOF, a stale replica): the lost come back, the done come again', async () => {
    const aof = join(bench.directory, 'appendonlydir')
    const args = ['--appendonly', 'yes', '--appendfsync', 'always']
    const redis = await bench.redis({ args })
    const queue = bench.open({ redis: { url: redis.url } }).queue('es')
    const { processor, ids } = doing()
    await accepted(queue, jobsUpTo(4))
    await cp(aof, `${aof}.copy`, { recursive: true })
    await accepted(queue, jobsUpTo(8))
    queue.work(processor, { concurrency: 2 })
    await allDone(ids, jobsUpTo(8))
    await empty(queue)
    queue.pause()
    await redis.stop()
    await rm(aof, { recursive: true })
    await cp(`${aof}.copy`, aof, { recursive: true })
    await redis.start()
    // the outbox still wants 2 to 7: their cursor was not moved yet
    const wanted = jobsUpTo(8).slice(2)
    expect(await reconciled(queue, wanted)).toBe(2)
    ids.length = 0
    queue.resume()
    await allDone(ids, wanted)
    await empty(queue)
  })

  test('reaches maxmemory: adds are refused, the worker does not spin, the log stays short; it goes on when there is room', async () => {
    const log = collectingLog()
    const redis = await bench.redis()
    const times = { hold: { baseMs: 200, maxMs: 400 } }
    const queues = bench.open({ redis: { url: redis.url }, log, times })
    const queue = queues.queue('es')
    const { processor, ids } = doing()
    queue.pause()
    queue.work(processor, { concurrency: 2 })
    await accepted(queue, jobsUpTo(4))
    await redis.command('CONFIG', 'SET', 'maxmemory', '1')
    queue.resume() // what waits cannot be fetched: that needs a lock
    await refusedAs(queue, 'out-of-memory')
    await problem(queues, 'redis-out-of-memory')
    const upSeconds = async (): Promise<number> =>
      Number(/uptime_in_seconds:(\d+)/.exec(await redis.command('INFO', 'server'))?.[1])
    const since = await upSeconds()
    await eventually('two seconds of Redis', async () => (await upSeconds()) >= since + 2)
    const refusals = /errorstat_OOM:count=(\d+)/.exec(await redis.command('INFO', 'errorstats'))?.[1]
    expect(Number(refusals)).toBeLessThan(100)
    expect(log.entries.filter(({ level }) => level === 'warn').length).toBeLessThan(12)
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    await reconciled(queue, jobsUpTo(6))
    await allDone(ids, jobsUpTo(6))
    await noProblems(queues)
  })

  test('is made a replica: adds are refused as read-only, and accepted when it is a master again', async () => {
    const redis = await bench.redis()
    const queue = bench.open({ redis: { url: redis.url } }).queue('es')
    const { processor, ids } = doing()
    queue.work(processor, { concurrency: 1 })
    await accepted(queue, [job(0)])
    await redis.command('REPLICAOF', '127.0.0.1', '1')
    await refusedAs(queue, 'read-only')
    await redis.command('REPLICAOF', 'NO', 'ONE')
    await reconciled(queue, jobsUpTo(3))
    await allDone(ids, jobsUpTo(3))
  })

  test('has kept remains of a job in no list: reconcile clears them away, so that its id can be added', async () => {
    const redis = await bench.redis()
    const queue = bench.open({ redis: { url: redis.url } }).queue('es')
    await accepted(queue, jobsUpTo(2))
    await redis.command('LREM', 'catchment:{c1.es}:wait', '0', jobId(job(0)))
    expect((await queue.add([job(0)])).accepted).toBe(1) // BullMQ says so, and has ignored it
    expect(await queue.counts()).toMatchObject({ waiting: 1 })
    expect(await reconciled(queue, jobsUpTo(2))).toBe(1)
    expect(await queue.counts()).toMatchObject({ waiting: 2 })
  })

  test('evicts: a problem that says what to set, never a refusal; nothing is printed', async () => {
    const redis = await bench.redis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    const queues = bench.open({ redis: { url: redis.url } })
    await problem(queues, 'redis-evicts')
    expect(queues.problems()).toEqual([
      {
        code: 'redis-evicts',
        message: expect.stringContaining('has the eviction policy allkeys-lru'),
        nextStep: 'set maxmemory-policy noeviction',
      },
    ])
    await accepted(queues.queue('es'))
  })
})
