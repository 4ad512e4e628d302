// What Jest starts before the first file of a conformance project and stops after the last: the real ZooKeeper that the
// files of the project share. Where it is not installed nothing is started, and every test of the project says so.
import { missingRealZooKeeper, startRealEnsemble, startRealZooKeeper, tempDirectory } from '@catchment/testing'

const started = []

async function start(kind, startServers) {
  if (missingRealZooKeeper() !== undefined) return
  const directory = await tempDirectory()
  started.push(() => directory.remove())
  const servers = await startServers({ directory: directory.path, sessionTimeoutMsMin: 500, tickMs: 200 })
  started.push(() => servers.stop())
  process.env[`CATCHMENT_ZOOKEEPER_${kind}`] = (servers.servers ?? [servers]).map(({ port }) => port).join()
}

export const startSingle = () => start('SINGLE', startRealZooKeeper)
export const startEnsemble = () => start('ENSEMBLE', startRealEnsemble)

export async function stop() {
  for (const step of started.splice(0).toReversed()) await step()
}
