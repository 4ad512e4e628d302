// Child processes as tests need them: with their output, their end awaited, and none left running.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { environment } from '@catchment/runtime'

export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ChildProcess extends AsyncDisposable {
  readonly pid: number
  /** What it has written so far. */
  readonly output: { readonly stdout: string; readonly stderr: string }
  readonly ended: Promise<ProcessEnd>
  /** The first line of standard output, also a past one, that `matches`. Rejects when the process ends before it. */
  line(matches: (line: string) => boolean): Promise<string>
  write(text: string): void
  closeInput(): void
  signal(signal: NodeJS.Signals): void
  /** Kills it unless it has ended, and waits for its end. */
  kill(): Promise<ProcessEnd>
}

/** Starts `command`; `environment` is all of its environment but PATH, HOME, and where compiled code is kept. */
export function startProcess(
  command: string,
  words: readonly string[],
  options: { environment?: Readonly<Record<string, string>>; directory?: string } = {},
): ChildProcess {
  const child = spawn(command, words, {
    cwd: options.directory,
    env: { ...inherited(), ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  const lines: string[] = []
  const waiters = new Set<(line: string) => void>()
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  createInterface({ input: child.stdout }).on('line', (line) => {
    output.stdout += `${line}\n`
    lines.push(line)
    for (const waiter of waiters) waiter(line)
  })
  child.stdin.on('error', () => undefined) // a process that has ended reads no more
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.on('error', (error) => (output.stderr += error.message)) // it could not be started: `close` follows
    child.on('close', (code, signal) => {
      resolve({ code, signal })
    })
  })
  const kill = async (): Promise<ProcessEnd> => {
    child.kill('SIGKILL')
    return ended
  }
  return {
    pid: child.pid ?? 0,
    output,
    ended,
    line: (matches) =>
      new Promise((resolve, reject) => {
        const past = lines.find(matches)
        if (past !== undefined) {
          resolve(past)
          return
        }
        waiters.add((line) => {
          if (matches(line)) resolve(line)
        })
        ended.then(({ code, signal }) => {
          reject(
            new Error(
              `${command} ended with ${code ?? signal ?? 'nothing'} before the line: ${output.stderr.slice(-2000)}`,
            ),
          )
        }, reject)
      }),
    write: (text) => child.stdin.write(text),
    closeInput: () => child.stdin.end(),
    signal: (signal) => child.kill(signal),
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill()
    },
  }
}

function inherited(): Record<string, string | undefined> {
  const { PATH, HOME, NODE_COMPILE_CACHE } = environment()
  return { PATH, HOME, NODE_COMPILE_CACHE }
}
