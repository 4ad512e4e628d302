// The checkpoint log: what the agent knows of its streams, in lines that are only appended. Advances are lazy (losing one
// costs a resend that the collector answers as a duplicate); a stream's own record is awaited before its first frame.

import { open, rename, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { asError, syncDirectory, type Clock, type Log, type Timer } from '@catchment/runtime'
import type { Mark } from '../decide/mark.ts'
import { encodeLine, replay, type StreamRecord } from './checkpoint-record.ts'
import { readIfThere } from './formats.ts'

export interface CheckpointLog {
  /** What the log held when it was opened, less what is forgotten since. */
  readonly records: ReadonlyMap<string, StreamRecord>
  readonly damaged: number
  /** Resolves when the record is durable. */
  put(record: StreamRecord): Promise<void>
  advance(stream: string, to: { checkpoint: number; mark: Mark; sizeBytes: number }): void
  forget(stream: string): void
  /** Whether everything said so far is durable. */
  readonly settled: boolean
  /** Resolves when everything said so far is durable. */
  flush(): Promise<void>
  /** Writes nothing more; what is not durable is lost, as in a crash. */
  close(): Promise<void>
}

export const advanceDelayMs = 150
const retryDelayMs = 1000
const compactBytesMin = 4 * 1024 * 1024
const compactFactor = 4

export async function openCheckpointLog(directory: string, clock: Clock, log: Log): Promise<CheckpointLog> {
  const path = join(directory, 'checkpoints.log')
  const bytes = (await readIfThere(path)) ?? Buffer.alloc(0)
  const { records, damaged } = replay(bytes)
  if (damaged > 0) log.warn('the checkpoint log was damaged', { damaged, kept: records.size })
  const file = await open(path, 'a', 0o600)
  await syncDirectory(directory)
  return new AppendingLog({ path, file, records, damaged, clock, log, bytes })
}

interface AppendingLogOptions {
  readonly path: string
  readonly file: FileHandle
  readonly records: Map<string, StreamRecord>
  readonly damaged: number
  readonly clock: Clock
  readonly log: Log
  readonly bytes: Buffer
}

class AppendingLog implements CheckpointLog {
  readonly records: Map<string, StreamRecord>
  readonly damaged: number
  readonly #path: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #advanced = new Set<string>()
  #file: FileHandle
  #fileBytes: number
  #pending: string[] = []
  #waiting: (() => void)[] = []
  #timer: Timer | undefined
  #writing: Promise<void> | undefined
  /** The file may end within a line: the next write begins with a newline, so that it does not lengthen a torn one. */
  #torn: boolean
  #closed = false

  constructor(opened: AppendingLogOptions) {
    this.records = opened.records
    this.damaged = opened.damaged
    this.#path = opened.path
    this.#file = opened.file
    this.#clock = opened.clock
    this.#log = opened.log
    this.#fileBytes = opened.bytes.length
    this.#torn = opened.bytes.length > 0 && opened.bytes.at(-1) !== 10
  }

  get settled(): boolean {
    return this.#writing === undefined && this.#advanced.size === 0 && this.#pending.length === 0
  }

  put(record: StreamRecord): Promise<void> {
    this.records.set(record.stream, record)
    this.#advanced.delete(record.stream)
    this.#pending.push(encodeLine({ kind: 'stream', record }))
    return this.flush()
  }

  advance(stream: string, to: { checkpoint: number; mark: Mark; sizeBytes: number }): void {
    const record = this.records.get(stream)
    if (record === undefined) return
    this.records.set(stream, { ...record, ...to })
    this.#advanced.add(stream)
    this.#writeSoon()
  }

  forget(stream: string): void {
    if (!this.records.delete(stream)) return
    this.#advanced.delete(stream)
    this.#pending.push(encodeLine({ kind: 'forget', stream }))
    this.#writeSoon()
  }

  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#write()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#writing
    await this.#file.close()
  }

  #writeSoon(): void {
    this.#timer ??= this.#clock.after(advanceDelayMs, () => {
      this.#timer = undefined
      this.#write()
    })
  }

  #write(): void {
    if (this.#closed) return
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#waiting.length > 0 || this.#pending.length > 0) this.#write()
    })
  }

  async #writeAll(): Promise<void> {
    const lines = this.#take()
    const waiting = this.#waiting
    this.#waiting = []
    try {
      if (lines !== '') {
        const bytes = Buffer.from(this.#torn ? `\n${lines}` : lines)
        this.#torn = true
        await this.#file.appendFile(bytes)
        await this.#file.datasync()
        this.#torn = false
        this.#fileBytes += bytes.length
      }
      for (const resolve of waiting) resolve()
      if (this.#fileBytes > compactBytesMin && this.#fileBytes > compactFactor * this.#liveBytes())
        await this.#compact()
    } catch (thrown) {
      // A full disk: shipping what is recorded goes on, and what is not recorded waits.
      this.#log.error('cannot write checkpoints, trying again', { reason: asError(thrown).message })
      this.#pending.unshift(lines)
      this.#waiting.unshift(...waiting)
      await this.#pause()
    }
  }

  #take(): string {
    for (const stream of this.#advanced) {
      const record = this.records.get(stream)
      if (record === undefined) continue
      const { checkpoint, mark, sizeBytes } = record
      this.#pending.push(encodeLine({ kind: 'advance', stream, checkpoint, mark, sizeBytes }))
    }
    this.#advanced.clear()
    const lines = this.#pending.join('')
    this.#pending = []
    return lines
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(this.#closed ? 0 : retryDelayMs, resolve)
    })
  }

  /** An estimate: a record is some 400 bytes. */
  #liveBytes(): number {
    return this.records.size * 400
  }

  async #compact(): Promise<void> {
    const lines = [...this.records.values()].map((record) => encodeLine({ kind: 'stream', record }))
    const temporary = `${this.#path}.tmp`
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(lines.join(''))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, this.#path)
    await syncDirectory(dirname(this.#path))
    await this.#file.close()
    this.#file = await open(this.#path, 'a', 0o600)
    this.#fileBytes = lines.reduce((sum, line) => sum + line.length, 0)
    this.#torn = false
  }
}
