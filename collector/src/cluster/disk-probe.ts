// Whether the disk still takes writes. One that hangs fails nothing: the session to ZooKeeper lives on, and a status that
// is rewritten would keep groups where they cannot be stored. So every report waits for a durable write of its own: when
// the disk hangs the status grows old, and the assigner lends the groups to others until it is rewritten.

import { join } from 'node:path'
import type { Disk, DiskFile } from '../segments/disk.ts'
import { untilAborted } from './until-aborted.ts'

const probeName = 'probe'

export class DiskProbe {
  readonly #file: DiskFile
  #running: Promise<void> | undefined
  #count = 0

  private constructor(file: DiskFile) {
    this.#file = file
  }

  /** Keeps one small file in `directory`. */
  static async open(disk: Disk, directory: string): Promise<DiskProbe> {
    const path = join(directory, probeName)
    const exists = (await disk.list(directory)).includes(probeName)
    return new DiskProbe(await (exists ? disk.open(path) : disk.create(path)))
  }

  /** Resolves when a write is durable, however long that takes. Rejects when it fails, or when the signal aborts. */
  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#running ??= this.#write().finally(() => (this.#running = undefined))
    await untilAborted(this.#running, signal)
  }

  /** A write that hangs is left alone: the end of the process ends it. */
  async close(): Promise<void> {
    this.#running?.catch(() => undefined)
    if (this.#running === undefined) await this.#file.close()
  }

  async #write(): Promise<void> {
    this.#count = (this.#count + 1) % 10
    await this.#file.writev([Buffer.from(`${this.#count}\n`)], 0)
    await this.#file.fdatasync()
  }
}
