// The sink that needs nothing: one plain file per stream, its bytes at the stream's own offsets. Writing a range twice
// changes nothing, so delivery may repeat. What several collectors do to one mirror stands in mirror-missing.ts.

import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteRange, FrameHeader } from '@catchment/protocol'
import { asError, CatchmentError, codeOf, makePrivateDirectory, syncDirectory } from '@catchment/runtime'
import type { ExpandedFrame, RefusedFrame, Sink } from '../../delivery/sink.ts'
import { united } from '../../decide/intervals.ts'
import { makeDirectories, mirrorPlace } from './mirror-paths.ts'
import { announceHole, isMissingAnything, noteGap, subtractDelivered, withMirrorLock } from './mirror-missing.ts'

/** Files that stay open between flushes; past it the ones used longest ago are closed. */
export const mirrorFilesOpenMax = 256
/** Of one writev. */
const buffersPerWriteMax = 512

interface StreamFile {
  readonly path: string
  readonly handle: FileHandle
  /** The file is at least this long: it never shrinks. */
  bytesMin: number
  /** What this process has written, or noted as a gap, since it opened the file. */
  delivered: ByteRange[]
  dirty: boolean
  /** Writes under way: it is not to be closed below them. */
  writers: number
}

/** What one stream's file is refused with, for good; the others go on. */
const refusals = new Set(['unsafe-path', 'ELOOP', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ENXIO'])

export class Mirror implements Sink {
  readonly #root: string
  /** By stream; in the order of use. */
  readonly #files = new Map<string, StreamFile>()

  private constructor(root: string) {
    this.#root = root
  }

  /** Makes the root where it is missing. */
  static async open(root: string): Promise<Mirror> {
    await makePrivateDirectory(root)
    return new Mirror(root)
  }

  /**
   * Writes frames, those of one stream in order. What is written is visible at once, durable after `flush`. Resolves
   * with what can never be written, because something else stands where its file would be; throws when the disk is full
   * or fails.
   */
  async write(frames: readonly ExpandedFrame[]): Promise<RefusedFrame[]> {
    const byStream = new Map<string, ExpandedFrame[]>()
    for (const frame of frames) {
      const known = byStream.get(frame.header.stream)
      if (known === undefined) byStream.set(frame.header.stream, [frame])
      else known.push(frame)
    }
    const outcomes = await Promise.allSettled([...byStream.values()].map((one) => this.#writeStream(one)))
    return [...byStream.values()].flatMap((one, index) => {
      const outcome = outcomes[index]
      if (outcome?.status !== 'rejected') return []
      const error = asError(outcome.reason)
      if (!refusals.has(codeOf(outcome.reason) ?? '')) throw outcome.reason
      return one.map((frame) => ({ frame, error }))
    })
  }

  /**
   * Makes what was written so far durable, and takes it off the lists of what is missing. May run while more is written;
   * not twice at a time. When it throws, what was written since the last flush must be written again.
   */
  async flush(): Promise<void> {
    const dirty = [...this.#files.values()].filter((file) => file.dirty)
    for (const file of dirty) file.dirty = false
    await Promise.all(dirty.map((file) => file.handle.datasync()))
    const holed = dirty.filter(({ path }) => isMissingAnything(path))
    if (holed.length > 0)
      withMirrorLock(this.#root, () => {
        for (const { path, delivered } of holed) subtractDelivered(path, delivered)
      })
    await this.#closeOldest(mirrorFilesOpenMax)
  }

  /** Closes all files without making them durable: for after a failure. */
  async reset(): Promise<void> {
    for (const file of this.#files.values()) file.dirty = false
    await this.#closeOldest(0)
  }

  close(): Promise<void> {
    return this.reset()
  }

  async #writeStream(frames: readonly ExpandedFrame[]): Promise<void> {
    const first = frames[0]
    if (first === undefined) return
    const file = await this.#open(first.header)
    file.writers += 1
    try {
      await this.#writeInto(file, frames)
    } finally {
      file.writers -= 1
    }
  }

  async #writeInto(file: StreamFile, frames: readonly ExpandedFrame[]): Promise<void> {
    let run: { from: number; to: number; buffers: Buffer[] } | undefined
    for (const frame of frames) {
      const { start, rawBytes } = frame.header
      if (run !== undefined && (frame.kind === 'gap' || run.to !== start || run.buffers.length >= buffersPerWriteMax)) {
        await this.#writeRun(file, run)
        run = undefined
      }
      if (frame.kind === 'gap') this.#noteGap(file, frame)
      else {
        run ??= { from: start, to: start, buffers: [] }
        run.buffers.push(frame.raw)
        run.to = start + rawBytes
      }
    }
    if (run !== undefined) await this.#writeRun(file, run)
  }

  async #writeRun(file: StreamFile, run: { from: number; to: number; buffers: Buffer[] }): Promise<void> {
    if (run.from > file.bytesMin) file.bytesMin = Math.max(file.bytesMin, (await file.handle.stat()).size)
    if (run.from > file.bytesMin)
      withMirrorLock(this.#root, () => {
        announceHole(file.path, run.from, file.delivered)
      })
    const { bytesWritten } = await file.handle.writev(run.buffers, run.from)
    if (bytesWritten !== run.to - run.from)
      throw new CatchmentError('ENOSPC', `wrote ${bytesWritten} of ${run.to - run.from} bytes to ${file.path}`, {
        blame: 'machine',
        retryable: true,
      })
    file.bytesMin = Math.max(file.bytesMin, run.to)
    file.delivered = united(file.delivered, run)
    file.dirty = true
  }

  #noteGap(file: StreamFile, { header, reason }: ExpandedFrame & { readonly kind: 'gap' }): void {
    const gap = { from: header.start, to: header.start + header.rawBytes, reason }
    withMirrorLock(this.#root, () => {
      noteGap(file.path, gap)
    })
    file.delivered = united(file.delivered, gap)
    file.dirty = true
  }

  async #open(header: FrameHeader): Promise<StreamFile> {
    const known = this.#files.get(header.stream)
    if (known !== undefined) {
      this.#files.delete(header.stream)
      this.#files.set(header.stream, known)
      return known
    }
    const place = mirrorPlace(header)
    const directory = await makeDirectories(this.#root, place)
    const path = join(directory, place.name)
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    const found = await handle.stat()
    if (!found.isFile()) {
      await handle.close()
      throw new CatchmentError('unsafe-path', `refused to write ${path}: it must be a plain file; remove it`, {
        blame: 'operator',
      })
    }
    if (found.size === 0) await syncDirectory(directory)
    const file = { path, handle, bytesMin: found.size, delivered: [], dirty: false, writers: 0 }
    this.#files.set(header.stream, file)
    return file
  }

  async #closeOldest(openMax: number): Promise<void> {
    for (const [stream, file] of this.#files) {
      if (this.#files.size <= openMax) return
      if (file.dirty || file.writers > 0) continue
      this.#files.delete(stream)
      await file.handle.close()
    }
  }
}
