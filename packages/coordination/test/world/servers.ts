// The servers that a world stands on: our own, the real ZooKeeper, or a real ensemble of three.

import { join } from 'node:path'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import { realRandom } from '@catchment/runtime'
import {
  fourLetterWord,
  missingRealZooKeeper,
  startRealEnsemble,
  startRealZooKeeper,
  tempDirectory,
  type RealZooKeeper,
  type RealZooKeeperOptions,
} from '@catchment/testing'
import { MemoryNet } from './memory-net.ts'
import { realNet, type Net } from './net.ts'

const kinds = ['embedded', 'single', 'ensemble'] as const
export type ServerKind = (typeof kinds)[number]

const wanted: unknown = Reflect.get(globalThis, 'catchmentZooKeeper')
/** Which kind this jest project is about: `globals` of its configuration says so. */
export const serverKind: ServerKind = kinds.find((kind) => kind === wanted) ?? 'embedded'

/** Real servers share their machine with all that runs beside: there a story takes its time. */
const stretch = serverKind === 'embedded' ? 1 : 3
/** A time of a story, as it is on this kind of server. */
export const stretchedMs = (ms: number): number => stretch * ms

/** Sessions may be this short, and end within a fifth of a second of their time. */
const realOptions = { sessionTimeoutMsMin: 500, tickMs: 200 } as const

export interface Servers {
  /** Where they listen, and their time. */
  readonly net: Net
  readonly ports: readonly number[]
  /** The port of the leader, or of the only one. */
  leader(): Promise<number>
  /** The answers of all of them to a four-letter word. */
  word(word: string): Promise<string[]>
  /** Ends it without a last word (SIGKILL where it is a process). Its data stays. */
  kill(port: number): Promise<void>
  /** Starts what was killed, on the same ports and data, and waits until it serves. */
  heal(): Promise<void>
  close(): Promise<void>
}

interface OwnServersOptions extends Pick<RealZooKeeperOptions, 'containerCheckMs'> {
  /** What this jest project is about unless given. */
  readonly kind?: ServerKind
  /** Where our own server listens: a network of its own in memory unless given. */
  readonly net?: Net
}

/** Servers of the caller alone, which may be killed. */
export async function ownServers({ kind = serverKind, ...given }: OwnServersOptions = {}): Promise<Servers> {
  if (kind === 'embedded') return embedded(given)
  const directory = await tempDirectory()
  const options = { ...realOptions, ...given, directory: join(directory.path, 'zookeeper') }
  const ensemble = kind === 'ensemble' ? await startRealEnsemble(options) : undefined
  const servers = ensemble?.servers ?? [await startRealZooKeeper(options)]
  const killed = new Set<RealZooKeeper>()
  return {
    net: realNet,
    ports: servers.map(({ port }) => port),
    leader: async () => (ensemble === undefined ? servers[0] : await ensemble.leader())?.port ?? 0,
    word: (word) => Promise.all(servers.map(({ port }) => fourLetterWord(port, word))),
    kill: async (port) => {
      const server = servers.find((one) => one.port === port)
      if (server === undefined) throw new Error(`no server of ours listens on ${port}`)
      killed.add(server)
      await server.stop()
    },
    heal: async () => {
      await Promise.all([...killed].map((server) => server.start()))
      killed.clear()
      await ensemble?.leader()
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.stop()))
      await directory.remove()
    },
  }
}

async function embedded({ containerCheckMs, net = new MemoryNet() }: OwnServersOptions): Promise<Servers> {
  const start = (snapshot?: Buffer): Promise<ZookeeperServer> =>
    startServer({
      clock: net.clock,
      random: realRandom,
      sessionTimeoutMs: { min: 500, max: 60_000 },
      ...(containerCheckMs !== undefined && { limits: { containerCheckIntervalMs: containerCheckMs } }),
      ...(snapshot !== undefined && { snapshot }),
    })
  let server: ZookeeperServer | undefined = await start()
  let snapshot: Buffer | undefined
  const listener = await net.listen((socket) => {
    if (server === undefined) socket.destroy()
    else server.accept(socket)
  })
  const { port } = listener
  return {
    net,
    ports: [port],
    leader: () => Promise.resolve(port),
    word: async (word) => [await answerTo(net, port, word)],
    kill: async () => {
      snapshot = server?.snapshot()
      const killed = server
      server = undefined
      await killed?.close()
    },
    heal: async () => {
      if (server === undefined && snapshot !== undefined) server = await start(snapshot)
    },
    close: async () => {
      await server?.close()
      await listener.close()
    },
  }
}

function answerTo(net: Net, port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = net.connect(port)
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()))
    socket.on('close', () => {
      resolve(answer)
    })
    socket.write(word)
  })
}

/** What the project's global set-up started, for all files: no one may kill it. */
export function sharedPorts(): readonly number[] {
  const ports = process.env[`CATCHMENT_ZOOKEEPER_${serverKind.toUpperCase()}`]
  if (ports === undefined)
    throw new Error(
      `no real ZooKeeper (${serverKind}) was started: ${missingRealZooKeeper() ?? 'run this through jest.config.js'}`,
    )
  return ports.split(',').map(Number)
}
