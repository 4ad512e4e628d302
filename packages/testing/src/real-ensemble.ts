// A real ensemble: servers of the real ZooKeeper that elect a leader among them, all on loopback.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import {
  configuration,
  freePorts,
  realServer,
  type RealZooKeeper,
  type RealZooKeeperOptions,
} from './real-zookeeper.ts'

/** A port that was free may be taken by the time that Java binds it: then all start again on other ports. */
const attemptsMax = 3

export interface RealEnsembleOptions extends RealZooKeeperOptions {
  /** How many; 3 unless given. */
  readonly servers?: number
}

export interface RealEnsemble extends AsyncDisposable {
  /** Each can be stopped (SIGKILL) and started again: then it serves as soon as it has joined the others. */
  readonly servers: readonly RealZooKeeper[]
  /** `127.0.0.1:PORT,127.0.0.1:PORT,…` */
  readonly addresses: string
  /** The server that leads, as soon as one does. */
  leader(): Promise<RealZooKeeper>
  /** Kills all and waits for their end. Their data stays. */
  stop(): Promise<void>
}

/** A real ensemble in directories of its own below `directory`, ready to serve. Rejects where ZooKeeper is not installed. */
export async function startRealEnsemble(options: RealEnsembleOptions): Promise<RealEnsemble> {
  for (let attempt = 1; ; attempt += 1) {
    const servers = await configured(options, join(options.directory, `attempt-${attempt}`))
    const stop = async (): Promise<void> => {
      await Promise.all(servers.map((server) => server.stop()))
    }
    try {
      await Promise.all(servers.map((server) => server.start()))
      return {
        servers,
        addresses: servers.map(({ address }) => address).join(','),
        leader: () => eventually('a leader of the ensemble', () => leaderOf(servers)),
        stop,
        [Symbol.asyncDispose]: stop,
      }
    } catch (thrown) {
      await stop()
      if (attempt === attemptsMax) throw thrown
    }
  }
}

async function configured(options: RealEnsembleOptions, directory: string): Promise<RealZooKeeper[]> {
  const count = options.servers ?? 3
  const ports = await freePorts(3 * count)
  const numbers = Array.from({ length: count }, (_, index) => index + 1)
  const tickMs = options.tickMs ?? 1000
  const lines = [
    'standaloneEnabled=false',
    `initLimit=${Math.ceil(10_000 / tickMs)}`,
    `syncLimit=${Math.ceil(5_000 / tickMs)}`,
    ...numbers.map((number) => `server.${number}=127.0.0.1:${ports[3 * number - 2]}:${ports[3 * number - 1]}`),
  ]
  return Promise.all(
    numbers.map(async (number) => {
      const own = join(directory, `server-${number}`)
      const port = ports[3 * number - 3] ?? 0
      await mkdir(join(own, 'data'), { recursive: true })
      await writeFile(join(own, 'data', 'myid'), `${number}\n`)
      const ownOptions = { ...options, directory: own }
      await writeFile(join(own, 'zoo.cfg'), configuration(ownOptions, port, lines))
      return realServer(ownOptions, port)
    }),
  )
}

async function leaderOf(servers: readonly RealZooKeeper[]): Promise<RealZooKeeper | undefined> {
  const modes = await Promise.all(servers.map((server) => server.word('srvr').catch(() => 'stopped')))
  return servers.find((_, index) => modes[index]?.includes('Mode: leader'))
}
