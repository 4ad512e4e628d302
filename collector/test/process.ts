// The real program as a process of its own, to be killed.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

export interface CollectorProcess {
  readonly url: string
  readonly pid: number
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** Ends it as an operator would; resolves with the exit code. */
  stop(): Promise<number | null>
}

/** Starts `catchment-collector` and waits for its ready line. */
export async function startProcess(flags: Readonly<Record<string, string>>): Promise<CollectorProcess> {
  const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
  const child = spawn(process.execPath, [main, ...words, '--json', '--log-level', 'error'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  const ended = once(child, 'exit')
  const line = await Promise.race([firstLine(child), ended.then(() => undefined)])
  if (line === undefined) throw new Error(`the collector ended before it was ready: ${complaints}`)
  const { url } = JSON.parse(line) as { url: string }
  return {
    url,
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      return child.exitCode
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the child has no standard output')
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('the child closed its standard output')
}
