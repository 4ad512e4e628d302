// A master, its replica, and a sentinel that makes the replica the master when the master is gone.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually, type RealRedis } from '@catchment/testing'
import { expect, test } from '@jest/globals'
import { onRealRedis, redisBench, type RedisBench } from '../suite/bench.ts'
import { jobsUpTo } from '../suite/opening.ts'
import { accepted, allDone, doing, empty, noProblems, reconciled } from '../suite/waiting.ts'

interface Guarded {
  readonly master: RealRedis
  readonly replica: RealRedis
  readonly sentinel: RealRedis
}

async function guarded(bench: RedisBench): Promise<Guarded> {
  const master = await bench.redis({ directory: join(bench.directory, 'master') })
  const replica = await bench.redis({
    directory: join(bench.directory, 'replica'),
    args: ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'],
  })
  await eventually('the replica to follow', async () =>
    (await replica.command('INFO', 'replication')).includes('master_link_status:up'),
  )
  const { port } = await bench.redis({ started: false }) // only for its port
  const path = join(bench.directory, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${bench.directory}`,
    `sentinel monitor main 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 2000',
  ]
  await writeFile(path, `${lines.join('\n')}\n`)
  const sentinel = await bench.redis({ configuration: { path, port, sentinel: true } })
  await eventually('the sentinel to know the replica', async () =>
    (await sentinel.command('SENTINEL', 'replicas', 'main')).includes(String(replica.port)),
  )
  return { master, replica, sentinel }
}

onRealRedis('the real Redis with a sentinel', () => {
  const bench = redisBench()

  test('the master dies: the queue follows to its replica, reconcile fills in, every job is done', async () => {
    const { master, replica, sentinel } = await guarded(bench)
    const url = `redis+sentinel://127.0.0.1:${sentinel.port}/main`
    const queues = bench.open({ redis: { url } })
    const queue = queues.queue('es')
    const { processor, ids } = doing()
    queue.pause()
    queue.work(processor, { concurrency: 2 })
    await accepted(queue, jobsUpTo(3))
    expect(await master.command('LLEN', 'catchment:{c1.es}:wait')).toBe(':3\r\n')
    await master.stop()
    await reconciled(queue, jobsUpTo(6))
    expect(await replica.command('LLEN', 'catchment:{c1.es}:wait')).toBe(':6\r\n')
    queue.resume()
    await allDone(ids, jobsUpTo(6))
    await empty(queue)
    await noProblems(queues)
  })
})
