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
  const request = commands.map(
    (words) => `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
  )
  return new Promise((resolve, reject) => {
    let received = '' // a character for each byte
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(request.join('')))
    socket
      .setEncoding('latin1')
      .setTimeout(answerMs, () => socket.destroy(new Error(`no answer to ${String(commands)}`)))
      .on('data', (text: string) => {
        received += text
        const answers = answersIn(received)
        if (answers.length === commands.length) resolve(Buffer.from(answers.at(-1) ?? '', 'latin1').toString())
        if (answers.length === commands.length) socket.destroy()
      })
      .on('error', reject)
      .on('close', () => {
        reject(new Error(`no answer to ${String(commands)}`))
      })
  })
}

/** The whole answers that `text` begins with. */
function answersIn(text: string): string[] {
  const answers: string[] = []
  for (let at = 0; ;) {
    const end = endOfAnswer(text, at)
    if (end === undefined) return answers
    answers.push(text.slice(at, end))
    at = end
  }
}

function endOfAnswer(text: string, at: number): number | undefined {
  const line = text.indexOf('\r\n', at)
  if (line < 0) return undefined
  const count = Number(text.slice(at + 1, line))
  const next = line + 2
  switch (text[at]) {
    case '$': {
      const end = count < 0 ? next : next + count + 2
      return end <= text.length ? end : undefined
    }
    case '*': {
      let end: number | undefined = next
      for (let part = 0; part < count && end !== undefined; part += 1) end = endOfAnswer(text, end)
      return end
    }
    case undefined:
    default:
      return next
  }
}
