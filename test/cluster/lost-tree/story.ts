// ZooKeeper loses all of its data while the system runs: epochs go on from what collectors and agents know, everything is
// assigned again, and nothing that was written is missing or stored twice.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { patienceMs, startRealZooKeeper, tempDirectory } from '@catchment/testing'
import { Cluster } from '../programs/cluster.ts'
import { checkSegments, matchGenerations, readMirrors } from '../programs/oracle.ts'
import { until } from '../programs/until.ts'
import { Writer } from '../programs/writer.ts'

/** ZooKeeper loses all data: epochs grow, all is assigned, nothing is lost or doubled. */
export async function surviveLostData(server: 'embedded' | 'real'): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const { cluster, writers, loseData } = await begin(server, stack)
  const writeAll = (): void => {
    for (const writer of writers) writer.append(500)
  }
  const isMirrored = (): Promise<ReturnType<typeof matchGenerations>> =>
    until('every mirror to equal its file', 2 * patienceMs, () => {
      const { mirrors, sidecars } = readMirrors(cluster.mirror)
      if (sidecars.length > 0) throw new Error(`not yet delivered: ${sidecars.join(', ')}`)
      return matchGenerations(
        writers.flatMap((writer) => writer.generations()),
        mirrors,
      )
    })
  writeAll()
  await isMirrored()
  await raiseEpochs(cluster)
  const before = await cluster.tree()

  await loseData(async () => {
    // One assigner and one collector forget what they held in memory; the others go on.
    await cluster.assigners[0]?.kill()
    await cluster.collectors[0]?.kill()
    writeAll()
  })
  await Promise.all([cluster.assigners[0]?.start(), cluster.collectors[0]?.start()])
  writeAll()

  const after = await until('everything to be assigned again', 2 * patienceMs, async () => {
    const tree = await cluster.tree()
    if (tree.epoch <= before.epoch) return undefined // an assigner's copy of the lost tree
    const served = tree.collectors.flatMap(({ groups }) => groups).filter(({ how }) => how === 'owned')
    const whole = tree.collectors.filter(({ state }) => state === 'serving').length === cluster.collectors.length
    const applied = tree.collectors.every(({ listEpoch, appliedEpoch = 0 }) => appliedEpoch === listEpoch)
    return whole && applied && served.length === writers.length ? tree : undefined
  })
  expect(after.epoch).toBeGreaterThan(before.epoch)
  for (const writer of writers) writer.rotate()
  writeAll()
  const matched = await isMirrored()
  await cluster.stop()
  const data = cluster.collectors.map(({ id }) => cluster.data(id))
  expect((await checkSegments(data, matched)).doubled).toBe(0)
}

interface Scene {
  readonly cluster: Cluster
  readonly writers: readonly Writer[]
  readonly loseData: (meanwhile: () => Promise<void>) => Promise<void>
}

async function begin(server: 'embedded' | 'real', stack: AsyncDisposableStack): Promise<Scene> {
  const directory = stack.use(await tempDirectory())
  const logs = join(directory.path, 'written')
  mkdirSync(logs)
  const data = join(directory.path, 'zookeeper')
  const real =
    server === 'real' ? stack.use(await startRealZooKeeper({ directory: data, sessionTimeoutMsMin: 500 })) : undefined
  const cluster = stack.use(
    new Cluster({
      directory: directory.path,
      ...(real !== undefined && { zookeeper: real.address }),
      assigners: 2,
      collectors: 3,
      agentArgs: ['--group', '{file}', '--follow', join(logs, '*.log')],
    }),
  )
  // fewer groups than collectors: afterwards one has to hear that it serves nothing any more
  const writers = ['web', 'db'].map((name) => stack.use(new Writer(logs, name)))
  await cluster.start()
  await cluster.agent.start()
  const loseData = async (meanwhile: () => Promise<void>): Promise<void> => {
    if (real === undefined) {
      await cluster.loseZooKeeper(meanwhile)
      return
    }
    await real.stop()
    rmSync(join(data, 'data', 'version-2'), { recursive: true })
    await meanwhile()
    await real.start()
  }
  return { cluster, writers, loseData }
}

/** Collectors with groups come and go, so that all lists are some epochs old, and not all of one epoch. */
async function raiseEpochs(cluster: Cluster): Promise<void> {
  const tree = await cluster.tree()
  for (const { id, groups } of tree.collectors.filter(({ groups }) => groups.length > 0)) {
    const collector = cluster.collectors.find((one) => one.id === id)
    const groupsToBe = (how: 'lent' | 'owned'): Promise<true> =>
      until(`the groups of ${id} to be ${how}`, patienceMs, async () => {
        const list = (await cluster.tree()).collectors.find((one) => one.id === id)?.groups ?? []
        return (list.length === groups.length && list.every((group) => group.how === how)) || undefined
      })
    await collector?.kill()
    await groupsToBe('lent')
    await collector?.start()
    await groupsToBe('owned')
  }
  expect((await cluster.tree()).collectors.every(({ listEpoch }) => listEpoch > 0)).toBe(true)
}
