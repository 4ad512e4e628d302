// A disk in memory that obeys a test: withholds fdatasync, is full, fails; and remembers in which order.

import type { Disk, DiskFile } from '../src/segments/disk.ts'

export class FakeDisk implements Disk {
  readonly files = new Map<string, Buffer>()
  /** What was asked of it: `write 100`, `fdatasync`, `truncate 64`, `syncDirectory`. */
  readonly calls: string[] = []
  /** Bytes that still fit; writes are cut short there. */
  roomBytes = Infinity
  /** Thrown by the next fdatasync. */
  syncError: Error | undefined
  readonly #held: (() => void)[] = []
  #holding = false

  /** From now on fdatasync waits for `release`. */
  hold(): void {
    this.#holding = true
  }

  get heldSyncs(): number {
    return this.#held.length
  }

  /** Lets the oldest waiting fdatasync succeed. */
  releaseOne(): void {
    this.#held.shift()?.()
  }

  release(): void {
    this.#holding = false
    for (const resolve of this.#held.splice(0)) resolve()
  }

  list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`
    return Promise.resolve(
      [...this.files.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length)),
    )
  }

  create(path: string): Promise<DiskFile> {
    this.files.set(path, Buffer.alloc(0))
    return this.open(path)
  }

  open(path: string): Promise<DiskFile> {
    return Promise.resolve({
      writev: (buffers, position) => Promise.resolve(this.#write(path, Buffer.concat(buffers), position)),
      read: (buffer, position) => Promise.resolve(this.#bytes(path).copy(buffer, 0, position)),
      fdatasync: () => this.#sync(),
      truncate: (bytes) => {
        this.calls.push(`truncate ${bytes}`)
        this.files.set(path, Buffer.from(this.#bytes(path).subarray(0, bytes)))
        return Promise.resolve()
      },
      bytes: () => Promise.resolve(this.#bytes(path).length),
      close: () => Promise.resolve(),
    })
  }

  remove(path: string): Promise<void> {
    this.files.delete(path)
    return Promise.resolve()
  }

  syncDirectory(): Promise<void> {
    this.calls.push('syncDirectory')
    return Promise.resolve()
  }

  #bytes(path: string): Buffer {
    return this.files.get(path) ?? Buffer.alloc(0)
  }

  #write(path: string, bytes: Buffer, position: number): number {
    const fits = bytes.subarray(0, Math.min(bytes.length, this.roomBytes))
    this.roomBytes -= fits.length
    const before = this.#bytes(path)
    const after = Buffer.alloc(Math.max(before.length, position + fits.length))
    before.copy(after)
    fits.copy(after, position)
    this.files.set(path, after)
    this.calls.push(`write ${fits.length}`)
    return fits.length
  }

  #sync(): Promise<void> {
    this.calls.push('fdatasync')
    if (this.syncError !== undefined) return Promise.reject(this.syncError)
    if (!this.#holding) return Promise.resolve()
    return new Promise((resolve) => this.#held.push(resolve))
  }
}
