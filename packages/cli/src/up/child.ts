// One program as a process of its own: starts it, waits for its ready line, keeps its log, and reports its end.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { parseJson, ProtocolError } from '@catchment/protocol'
import { z } from 'zod'
import type { ProgramLog } from './log-file.ts'

const readySchema = z.object({
  url: z.url().optional(),
  port: z.number().int().positive().optional(),
  ready: z.literal(true),
})
/** What a program says of itself in its ready line. */
export type Ready = z.infer<typeof readySchema>

export interface ChildOptions {
  readonly file: string
  readonly words: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: ProgramLog
  readonly onReady: (ready: Ready) => void
  /** Called once. `how`: "exit code 1", "SIGKILL", or why it could not be started. */
  readonly onExit: (how: string) => void
}

export interface Child {
  /** 0 where the process could not be made; `onExit` follows. */
  readonly pid: number
  /** What it said last on its standard error: why it ended, mostly. */
  readonly lastWords: () => string | undefined
  readonly signal: (signal: 'SIGTERM' | 'SIGKILL') => void
}

/** A line of a log, or the last words of `runProgram`. */
const logLineSchema = z.union([
  z.object({ message: z.string() }),
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error),
])

/**
 * Its standard input is a pipe that is never written to: it ends when this process does, however that ends, and with it the
 * program (`--exit-with-stdin`). It is the leader of a session of its own, so a Ctrl-C of the terminal reaches `up` alone
 * and the programs end in their order.
 */
export function startChild(options: ChildOptions): Child {
  const process_ = spawn(process.execPath, [options.file, ...options.words], {
    detached: true,
    env: { ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let lastLine = ''
  let failedToStart: string | undefined
  process_.stdin.on('error', () => undefined) // it ended: `close` says so
  process_.stderr.on('data', (bytes: Buffer) => {
    options.log.write(bytes)
    lastLine = lastLineOf(lastLine, bytes.toString('utf8'))
  })
  createInterface({ input: process_.stdout }).on('line', (line) => {
    const ready = readyOf(line)
    if (ready !== undefined) options.onReady(ready)
  })
  process_.on('error', (error) => {
    failedToStart = error.message
    if (process_.pid === undefined) options.onExit(failedToStart)
  })
  process_.on('close', (code, signal) => {
    if (process_.pid !== undefined) options.onExit(signal ?? `exit code ${code ?? 'unknown'}`)
  })
  return {
    pid: process_.pid ?? 0,
    lastWords: () => wordsOf(lastLine),
    signal: (signal) => {
      process_.kill(signal)
    },
  }
}

/** A line that is none of ours is a program's chatter, and passed over. */
function readyOf(line: string): Ready | undefined {
  try {
    return parseJson(readySchema, line, 'a ready line')
  } catch (thrown) {
    if (thrown instanceof ProtocolError) return undefined
    throw thrown
  }
}

const lastLineCharactersMax = 4096

function lastLineOf(before: string, text: string): string {
  const lines = (before + text).split('\n')
  const open = lines.pop() ?? ''
  const whole = lines.findLast((line) => line.trim() !== '')
  return (open.trim() !== '' || whole === undefined ? open : `${whole}\n`).slice(0, lastLineCharactersMax)
}

function wordsOf(line: string): string | undefined {
  if (line.trim() === '') return undefined
  try {
    return parseJson(logLineSchema, line, 'a log line').message
  } catch (thrown) {
    if (thrown instanceof ProtocolError) return line.trim()
    throw thrown
  }
}
