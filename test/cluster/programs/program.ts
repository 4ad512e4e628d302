// A program of ours as its own process: started by its real command line, ready when it says so, killed for real.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { patienceMs } from '@catchment/testing'
import { z } from 'zod'
import { storyMs } from './until.ts'

const house = join(import.meta.dirname, '../../..')

const mains = {
  zookeeper: 'packages/embedded-zookeeper/src/main.ts',
  assigner: 'assigner/src/main.ts',
  collector: 'collector/src/main.ts',
  agent: 'source-agent/src/main.ts',
  catchment: 'packages/cli/src/main.ts',
} as const
export type ProgramKind = keyof typeof mains

/** The file that starts a program. */
export function mainOf(kind: ProgramKind): string {
  return join(house, mains[kind])
}

const readySchema = z.object({
  program: z.string(),
  ready: z.literal(true),
  id: z.string().optional(),
  url: z.string().optional(),
  port: z.number().optional(),
})
export type Ready = z.infer<typeof readySchema>

export class Program {
  readonly ready: Ready
  readonly pid: number
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess, pid: number, ready: Ready) {
    this.#child = child
    this.#exited = child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : once(child, 'exit')
    this.pid = pid
    this.ready = ready
  }

  /** Starts a program, after the words `before`, and waits for its ready line. Its log goes to `logPath`, appended. */
  static async start(
    kind: ProgramKind,
    args: readonly string[],
    logPath: string,
    before: readonly string[] = [],
  ): Promise<Program> {
    const words = [process.execPath, ...nodeFlags, mainOf(kind), ...args, '--json', '--exit-with-stdin']
    const [command = '', ...rest] = [...before, ...words]
    const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
    const log = createWriteStream(logPath, { flags: 'a' })
    child.stderr.pipe(log)
    child.stdin.on('error', () => undefined) // it may be killed while we hold its standard input open
    const { pid } = child
    if (pid === undefined) throw new Error(`could not start ${kind}`)
    return new Program(child, pid, await readyLine(child, kind, logPath))
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get exitCode(): number | null {
    return this.#child.exitCode
  }

  /** SIGKILL: no goodbye. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.running) await this.#exited
  }

  /** SIGTERM, and SIGKILL after `graceMs`. Resolves with true when it ended by itself. */
  async stop(graceMs = patienceMs): Promise<boolean> {
    if (!this.running) return true
    this.#child.kill('SIGTERM')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), graceMs)
    await this.#exited
    clearTimeout(late)
    return this.#child.signalCode !== 'SIGKILL'
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Processor seconds that it has used, user and system, by the kernel's account. */
  processorSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  /** Resident memory in bytes. */
  residentBytes(): number {
    return Number(readFileSync(`/proc/${this.pid}/statm`, 'utf8').split(' ')[1]) * 4096
  }
}

export const nodeFlags = ['--disable-warning=ExperimentalWarning']

async function readyLine(child: ChildProcess, kind: ProgramKind, logPath: string): Promise<Ready> {
  if (child.stdout === null) throw new Error(`${kind} has no standard output`)
  const lines = createInterface({ input: child.stdout })
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL')
      reject(new Error(`${kind} ${why}; its log: ${tail(logPath)}`))
    }
    const late = setTimeout(() => {
      fail(`was not ready within ${storyMs} ms`)
    }, storyMs) // how soon it is ready is the machine's matter: many start at a time
    child.once('exit', (code, signal) => {
      clearTimeout(late)
      fail(`ended before it was ready (${code ?? signal ?? 'unknown'})`)
    })
    lines.on('line', (line) => {
      const parsed = line.startsWith('{') ? readySchema.safeParse(JSON.parse(line)) : undefined
      if (parsed?.success !== true) return
      if (kind === 'catchment' && parsed.data.program !== 'catchment') return
      clearTimeout(late)
      resolve(parsed.data)
    })
  })
}

function tail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-2000) : 'none'
}
