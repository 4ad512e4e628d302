import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { asError } from '@catchment/runtime'

/** What the log of one program may hold; at it the file becomes `<file>.1` and the one before that is gone. */
const logBytesMax = 16 * 1024 * 1024

/**
 * A program's log, bounded: at most two files of `bytesMax`. Written before the call returns. What cannot be written (a
 * full disk) is dropped and counted in `droppedBytes`: a log that fails must not take the supervisor with it.
 */
export class ProgramLog {
  readonly path: string
  readonly #bytesMax: number
  #file: number | undefined
  #bytes = 0
  #droppedBytes = 0
  #failure: Error | undefined

  constructor(path: string, bytesMax: number = logBytesMax) {
    this.path = path
    this.#bytesMax = bytesMax
  }

  get droppedBytes(): number {
    return this.#droppedBytes
  }

  /** Why bytes were dropped last. */
  get failure(): Error | undefined {
    return this.#failure
  }

  write(bytes: Uint8Array): void {
    try {
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#bytesMax) this.#rotate()
      const file = this.#open()
      this.#bytes += writeSync(file, bytes)
    } catch (thrown) {
      this.#failure = asError(thrown)
      this.#droppedBytes += bytes.length
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #open(): number {
    if (this.#file !== undefined) return this.#file
    this.#file = openSync(this.path, 'a', 0o600)
    this.#bytes = fstatSync(this.#file).size
    return this.#file
  }

  #rotate(): void {
    this.close()
    renameSync(this.path, `${this.path}.1`)
    this.#bytes = 0
  }
}
