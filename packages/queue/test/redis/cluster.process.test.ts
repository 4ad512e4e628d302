// Three masters that share the slots. All keys of a queue are in one slot, by the hash tag in its name.

import { join } from 'node:path'
import { eventually, type RealRedis } from '@catchment/testing'
import { expect, test } from '@jest/globals'
import { onRealRedis, redisBench, type RedisBench } from '../suite/bench.ts'
import { jobsUpTo } from '../suite/opening.ts'
import { accepted, allDone, doing, empty, reconciled } from '../suite/waiting.ts'

const slots = [
  ['0', '5461'],
  ['5462', '10922'],
  ['10923', '16383'],
] as const

async function cluster(bench: RedisBench): Promise<RealRedis[]> {
  const nodes = await Promise.all(
    slots.map(async ([from, to], index) => {
      const { port: busPort } = await bench.redis({ started: false }) // only for its port
      const node = await bench.redis({
        directory: join(bench.directory, `node-${index}`),
        args: [
          ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000'],
          ...['--cluster-port', String(busPort), '--cluster-require-full-coverage', 'no'],
          ...['--appendonly', 'yes', '--appendfsync', 'always'],
        ],
      })
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      await node.command('CLUSTER', 'ADDSLOTSRANGE', from, to)
      return { node, busPort }
    }),
  )
  const [first, ...others] = nodes
  for (const { node, busPort } of others)
    await first?.node.command('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(busPort))
  await eventually('the cluster to be whole', async () => {
    const infos = await Promise.all(nodes.map(({ node }) => node.command('CLUSTER', 'INFO')))
    return infos.every((info) => info.includes('cluster_state:ok') && info.includes('cluster_slots_assigned:16384'))
  })
  return nodes.map(({ node }) => node)
}

onRealRedis('the real Redis as a cluster', () => {
  const bench = redisBench()

  test('queues of many sinks work, spread over its nodes, and limits too; a node that comes back goes on', async () => {
    const nodes = await cluster(bench)
    const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
    const queues = bench.open({ redis: { url } })
    const sinks = ['a', 'b', 'c', 'd', 'e', 'f']
    const { processor, ids } = doing()
    for (const sink of sinks) {
      const queue = queues.queue(sink)
      await accepted(queue, jobsUpTo(3, sink))
      expect(await queue.counts()).toMatchObject({ waiting: 3 })
    }
    const sizes = await Promise.all(nodes.map((node) => node.command('DBSIZE')))
    expect(sizes).not.toContain(':0\r\n')
    for (const sink of sinks) queues.queue(sink).work(processor, { concurrency: 1 })
    for (const sink of sinks) await allDone(ids, jobsUpTo(3, sink))
    await eventually('tokens', async () => (await queues.limiter('l', { perSecond: 1, burst: 1 }).take(1)) === 0)

    await Promise.all(nodes.map((node) => node.stop()))
    for (const sink of sinks) expect(await queues.queue(sink).add(jobsUpTo(1, sink))).toMatchObject({ accepted: 0 })
    await Promise.all(nodes.map((node) => node.start()))
    for (const sink of sinks) {
      await reconciled(queues.queue(sink), jobsUpTo(5, sink))
      await allDone(ids, jobsUpTo(5, sink))
      await empty(queues.queue(sink))
    }
  })
})
