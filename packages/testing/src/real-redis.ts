// The real Redis, as Debian packages it.

import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { environment } from '@catchment/runtime'
import { eventually } from './eventually.ts'
import { missingRealRedis, redisServer } from './missing-redis.ts'
import { startProcess, type ChildProcess } from './process.ts'
import { freePorts } from './real-zookeeper.ts'

const answerMs = 5_000

/** Whether tests are to run on the real Redis: where it is installed, and in CI, where its absence is a failure. */
export function expectsRealRedis(): boolean {
  return missingRealRedis() === undefined || environment()['CI'] === 'true'
}

export interface RealRedis extends AsyncDisposable {
  readonly port: number
  /** `redis://127.0.0.1:PORT`. */
  readonly url: string
  /** Of its process while it runs. */
  readonly pid: number | undefined
  /** Starts it again on the same port and data; only after `stop`. */
  start(): Promise<void>
  /** Kills it (SIGKILL) and waits for its end. Its data stays. */
  stop(): Promise<void>
  /** It hangs: it takes connections and answers nothing, until `wake`. */
  suspend(): void
  wake(): void
  /** Sends one command and returns the answer as it stands on the wire. */
  command(...words: readonly string[]): Promise<string>
}

export interface RealRedisOptions {
  /** Where its data stands. Stays when it stops. */
  readonly directory: string
  /** More of its command line, as `['--appendonly', 'yes']`; the last of equal ones counts. */
  readonly args?: readonly string[]
  /** A configuration file of its own, instead of everything else; the port is that of the file. */
  readonly configuration?: { readonly path: string; readonly port: number; readonly sentinel: boolean }
  /** Sent before each command. */
  readonly password?: string
}

/** A Redis of its own on loopback, ready to serve. Rejects where it is not installed. */
export async function startRealRedis(options: RealRedisOptions): Promise<RealRedis> {
  const redis = await realRedis(options)
  await redis.start()
  return redis
}

/** The same, not yet started. */
export async function realRedis(options: RealRedisOptions): Promise<RealRedis> {
  const missing = missingRealRedis()
  if (missing !== undefined) throw new Error(missing)
  const port = options.configuration?.port ?? (await freePorts(1))[0] ?? 0
  await mkdir(options.directory, { recursive: true })
  const command = (...words: readonly string[]): Promise<string> =>
    sendCommand(port, options.password === undefined ? [words] : [['AUTH', options.password], words])
  let running: ChildProcess | undefined
  const stop = async (): Promise<void> => {
    await running?.kill()
    running = undefined
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return running?.pid
    },
    command,
    start: async () => {
      running = startProcess(redisServer, commandLine(options, port), { directory: options.directory })
      await serving(running, () => command('PING'))
    },
    stop,
    suspend: () => running?.signal('SIGSTOP'),
    wake: () => running?.signal('SIGCONT'),
    [Symbol.asyncDispose]: stop,
  }
}

function commandLine({ directory, args = [], configuration }: RealRedisOptions, port: number): string[] {
  if (configuration !== undefined) return [configuration.path, ...(configuration.sentinel ? ['--sentinel'] : [])]
  return ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...args]
}

async function serving(child: ChildProcess, ping: () => Promise<string>): Promise<void> {
  const died = child.ended.then(({ code }) => {
    throw new Error(`Redis ended with ${code ?? 'a signal'}: ${child.output.stdout}${child.output.stderr}`)
  })
  try {
    await Promise.race([eventually('Redis to serve', async () => (await ping()).includes('+PONG')), died])
  } catch (thrown) {
    await child.kill()
    throw thrown
  }
}

/** The last answer to `commands`, in the protocol of Redis 2 and later (RESP2). */
function sendCommand(port: number, commands: readonly (readonly string[])[]): Promise<string> {
  const request = [...commands, ['QUIT']].map(
    (words) => `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
  )
  const ok = '+OK\r\n'
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(request.join('')))
    socket.setEncoding('utf8').setTimeout(answerMs, () => socket.destroy(new Error(`no answer to ${String(commands)}`)))
    socket.on('data', (text: string) => (answer += text))
    socket.on('error', reject)
    socket.on('close', () => {
      const ofLast = commands.length > 1 && answer.startsWith(ok) ? answer.slice(ok.length) : answer
      resolve(ofLast.endsWith(ok) ? ofLast.slice(0, -ok.length) : ofLast)
    })
  })
}
