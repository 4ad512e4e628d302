// ZooKeeper loses all of its data while the system runs: epochs go on from what collectors and agents know, everything is
// assigned again, and nothing that was written is missing or stored twice.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { expectsRealZooKeeper, startRealZooKeeper, tempDirectory } from '@catchment/testing'
import { Cluster } from './cluster.ts'
import { checkSegments, matchGenerations, readMirrors } from './oracle.ts'
import { until } from './until.ts'
import { Writer } from './writer.ts'

const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

const servers = [
  ['embedded', describe],
  ['real', expectsRealZooKeeper() ? describe : describe.skip],
] as const

for (const [server, where] of servers)
  where(`the cluster on the ${server} ZooKeeper`, () => {
    test('goes on when ZooKeeper has lost its data: epochs grow, all is assigned, nothing is lost or doubled', async () => {
      const { cluster, writers, loseData } = await begin(server)
      const writeAll = (): void => {
        for (const writer of writers) writer.append(500)
      }
      const isMirrored = (): Promise<ReturnType<typeof matchGenerations>> =>
        until('every mirror to equal its file', 60_000, () => {
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

      const after = await until('everything to be assigned again', 60_000, async () => {
        const tree = await cluster.tree()
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
    }, 180_000)
  })

async function begin(server: 'embedded' | 'real'): Promise<{
  cluster: Cluster
  writers: readonly Writer[]
  loseData: (meanwhile: () => Promise<void>) => Promise<void>
}> {
  const directory = await tempDirectory()
  undo.push(() => directory.remove())
  const logs = join(directory.path, 'written')
  mkdirSync(logs)
  const data = join(directory.path, 'zookeeper')
  const real = server === 'real' ? await startRealZooKeeper({ directory: data, sessionTimeoutMsMin: 500 }) : undefined
  if (real !== undefined) undo.push(() => real.stop())
  // fewer groups than collectors: afterwards one has to hear that it serves nothing any more
  const writers = ['web', 'db'].map((name) => new Writer(logs, name))
  const cluster = new Cluster({
    directory: directory.path,
    ...(real !== undefined && { zookeeper: real.address }),
    assigners: 2,
    collectors: 3,
    agentArgs: ['--group', '{file}', '--follow', join(logs, '*.log')],
    sessionTimeoutMs: 2000,
    graceMs: 3000,
  })
  undo.push(
    () => cluster.stop(),
    () => {
      for (const writer of writers) writer.close()
    },
  )
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
  for (const { id } of tree.collectors.filter(({ groups }) => groups.length > 0)) {
    const collector = cluster.collectors.find((one) => one.id === id)
    const { epoch } = await cluster.tree()
    await collector?.kill()
    await until('its groups to be lent', 20_000, async () => (await cluster.tree()).epoch > epoch || undefined)
    const { epoch: lent } = await cluster.tree()
    await collector?.start()
    await until('its groups to return', 20_000, async () => (await cluster.tree()).epoch > lent || undefined)
  }
  expect((await cluster.tree()).collectors.every(({ listEpoch }) => listEpoch > 0)).toBe(true)
}
