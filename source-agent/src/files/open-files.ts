// Which of the followed files are open: as many as `openFilesMax` allows. Beyond it the longest idle are parked, which
// means closed, to be opened again when they grow.

import { codeOf } from '@catchment/runtime'
import { sameInode } from '../decide/identity.ts'
import { limits } from '../metering/limits.ts'
import { regularFileAt, whoIs } from './file-looks.ts'
import type { FollowedFile } from './followed-file.ts'
import { HeldFile } from './held-file.ts'

export class OpenFiles {
  readonly #files = new Map<string, FollowedFile>()
  readonly #unreadable = new Set<string>()

  /** Paths that could not be opened when it was last tried. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable
  }

  add(file: FollowedFile): void {
    this.#files.set(file.stream, file)
  }

  /** It is followed no longer. */
  remove(file: FollowedFile): void {
    this.#files.delete(file.stream)
    this.#unreadable.delete(file.at)
    file.letGo()
  }

  /** The file, held open; undefined when it cannot be had, or another lies there now. */
  hold(file: FollowedFile): HeldFile | undefined {
    if (file.held !== undefined || file.state === 'over') return file.held
    if (HeldFile.open >= limits.openFilesMax) this.#parkLongestIdle()
    try {
      const held = HeldFile.openRegular(file.at)
      this.#unreadable.delete(file.at)
      if (held === undefined) return undefined
      if (sameInode(file.identity, whoIs(held.stat()))) file.hold(held)
      else held.release()
    } catch (thrown) {
      // Summed up for people; tried again with the next look.
      if (codeOf(thrown) !== 'ENOENT') this.#unreadable.add(file.at)
    }
    return file.held
  }

  /** As `hold`, for a stream's sending side; undefined as well when the stream is followed no longer. */
  holdOf(stream: string): HeldFile | undefined {
    const file = this.#files.get(stream)
    return file === undefined ? undefined : this.hold(file)
  }

  park(file: FollowedFile): void {
    if (file.held === undefined || file.state === 'deleted' || file.reading) return
    if (file.unreadBytes > 0 || regularFileAt(file.at) === undefined) return
    file.letGo()
  }

  releaseAll(): void {
    for (const file of this.#files.values()) file.letGo()
  }

  #parkLongestIdle(): void {
    const open = [...this.#files.values()].filter((file) => file.held !== undefined)
    open.sort((a, b) => a.grewAtMs - b.grewAtMs)
    for (const file of open) {
      if (HeldFile.open < limits.openFilesMax) return
      this.park(file)
    }
  }
}
