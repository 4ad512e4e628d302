// A file that is held open: independent of its name, alive after its deletion. Counted, so that a descriptor is never
// closed under a read that the pool is doing (its number would be another file's by then).

import { closeSync, constants, fstatSync, openSync, read, readSync, type BigIntStats } from 'node:fs'

export class HeldFile {
  static open = 0
  readonly #fd: number
  #users = 1

  /** Opens without waiting (a FIFO would) and refuses what is no regular file: undefined. Throws as open does. */
  static openRegular(path: string): HeldFile | undefined {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    if (!fstatSync(fd).isFile()) {
      closeSync(fd)
      return undefined
    }
    return new HeldFile(fd)
  }

  private constructor(fd: number) {
    this.#fd = fd
    HeldFile.open += 1
  }

  stat(): BigIntStats {
    return fstatSync(this.#fd, { bigint: true })
  }

  /**
   * How many bytes were read into the start of `buffer`; fewer than asked for at the end of the file. One read and no
   * second one to fill the rest: between two the file may be truncated and written again, and their bytes belong to two
   * generations.
   */
  async read(buffer: Buffer, length: number, position: number): Promise<number> {
    this.retain()
    try {
      return await this.#readOnce(buffer, length, position)
    } finally {
      this.release()
    }
  }

  /**
   * As `read`, on this thread, although not below the caller: for what was written a moment ago, and so is in memory. The
   * way to the pool and back costs ten times as much.
   */
  async readCached(buffer: Buffer, length: number, position: number): Promise<number> {
    this.retain()
    try {
      await Promise.resolve()
      return readSync(this.#fd, buffer, 0, length, position)
    } finally {
      this.release()
    }
  }

  /** A few bytes, at once. Shorter at the end of the file. */
  peek(length: number, position: number): Buffer {
    const buffer = Buffer.alloc(length)
    return buffer.subarray(0, readSync(this.#fd, buffer, 0, length, position))
  }

  retain(): void {
    this.#users += 1
  }

  release(): void {
    this.#users -= 1
    if (this.#users > 0) return
    HeldFile.open -= 1
    closeSync(this.#fd)
  }

  #readOnce(buffer: Buffer, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.#fd, buffer, 0, length, position, (error, bytes) => {
        if (error === null) resolve(bytes)
        else reject(error)
      })
    })
  }
}
