// The real ZooKeeper, as Debian packages it: what our server is compared with.

import { mkdir, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { environment } from '@catchment/runtime'
import { startProcess, type ChildProcess } from './process.ts'
import { eventually } from './eventually.ts'
import { missingRealZooKeeper, silentLoggerJar, zooKeeperJar } from './missing-zookeeper.ts'

const readyWithinMs = 60_000
const wordAnswerMs = 2000

/**
 * Whether tests run against the real ZooKeeper: where it is installed, and in CI, where its absence is a
 * failure.
 */
export function expectsRealZooKeeper(): boolean {
  return missingRealZooKeeper() === undefined || environment()['CI'] === 'true'
}

export interface RealZooKeeper extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  readonly port: number
  /** Of its process while it runs. */
  readonly pid: number | undefined
  /** The answer to a four-letter word: `srvr`, `ruok`, `mntr`, … */
  word(word: string): Promise<string>
  /** Starts it again on the same port and data; only after `stop`. */
  start(): Promise<void>
  /** Kills it (SIGKILL) and waits for its end. Its data stays. */
  stop(): Promise<void>
}

export interface RealZooKeeperOptions {
  /** Where its configuration and data are. Stays when it stops. */
  readonly directory: string
  readonly sessionTimeoutMsMin?: number
  readonly sessionTimeoutMsMax?: number
  /** Its unit of time: sessions expire at multiples of it. 1 s unless given. */
  readonly tickMs?: number
  /** How often it looks for containers and TTL nodes to delete; once a minute unless given. */
  readonly containerCheckMs?: number
}

/** One real ZooKeeper server of its own on a free port of loopback, ready to serve. Rejects where it is not installed. */
export async function startRealZooKeeper(options: RealZooKeeperOptions): Promise<RealZooKeeper> {
  const [port = 0] = await freePorts(1)
  await mkdir(join(options.directory, 'data'), { recursive: true })
  await writeFile(join(options.directory, 'zoo.cfg'), configuration(options, port))
  const server = realServer(options, port)
  await server.start()
  return server
}

/** The server whose configuration is in its directory, not yet started. Throws where ZooKeeper is not installed. */
export function realServer(options: RealZooKeeperOptions, port: number): RealZooKeeper {
  const missing = missingRealZooKeeper()
  if (missing !== undefined) throw new Error(missing)
  let running: ChildProcess | undefined
  const stop = async (): Promise<void> => {
    await running?.kill()
  }
  return {
    address: `127.0.0.1:${port}`,
    port,
    get pid() {
      return running?.pid
    },
    word: (word) => fourLetterWord(port, word),
    start: async () => {
      running = startProcess('java', javaWords(options))
      await serving(running, port)
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** zoo.cfg of a server that stands alone; an ensemble's servers have more lines. */
export function configuration(options: RealZooKeeperOptions, port: number, more: readonly string[] = []): string {
  return [
    `tickTime=${options.tickMs ?? 1000}`,
    `minSessionTimeout=${options.sessionTimeoutMsMin ?? 1000}`,
    `maxSessionTimeout=${options.sessionTimeoutMsMax ?? 60_000}`,
    `dataDir=${join(options.directory, 'data')}`,
    `clientPort=${port}`,
    'clientPortAddress=127.0.0.1',
    'maxClientCnxns=0',
    'admin.enableServer=false',
    '4lw.commands.whitelist=*',
    'extendedTypesEnabled=true',
    'reconfigEnabled=true',
    ...more,
    '',
  ].join('\n')
}

function javaWords({ directory, containerCheckMs = 60_000 }: RealZooKeeperOptions): string[] {
  return [
    ...['-cp', [directory, zooKeeperJar, silentLoggerJar].join(':')],
    ...['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xms64m', '-Xmx256m'],
    '-Dzookeeper.extendedTypesEnabled=true',
    `-Dznode.container.checkIntervalMs=${containerCheckMs}`,
    'org.apache.zookeeper.server.quorum.QuorumPeerMain',
    join(directory, 'zoo.cfg'),
  ]
}

async function serving(child: ChildProcess, port: number): Promise<void> {
  const died = child.ended.then(({ code }) => {
    throw new Error(`ZooKeeper ended with ${code ?? 'a signal'}: ${child.output.stderr}${child.output.stdout}`)
  })
  const answers = eventually(
    'the real ZooKeeper to serve',
    async () => (await fourLetterWord(port, 'srvr')).includes('Mode: '),
    readyWithinMs,
  )
  try {
    await Promise.race([answers, died])
  } catch (thrown) {
    await child.kill()
    throw thrown
  }
}

/** What a server on loopback, ours or a real one, answers to a four-letter word before it closes the connection. */
export function fourLetterWord(port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(word))
    socket.setEncoding('utf8').setTimeout(wordAnswerMs, () => socket.destroy(new Error(`no answer to ${word}`)))
    socket.on('data', (text: string) => (answer += text))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(answer)
    })
  })
}

/** As many different ports that were all free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(Array.from({ length: count }, listen))
  await Promise.all(listeners.map(({ server }) => new Promise((resolve) => server.close(resolve))))
  return listeners.map(({ port }) => port)
}

function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.on('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address === 'object' && address !== null) resolve({ server, port: address.port })
      else reject(new Error('no port'))
    })
  })
}
