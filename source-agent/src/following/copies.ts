import type { Clock } from '@catchment/runtime'
import { beginsLike, namesBeforeRotation, type FoundFile } from '../files/file-looks.ts'
import type { StreamRegistry } from './stream-registry.ts'

/** How long a new file that begins like a followed one, and so may be its copy, is left alone. */
const copyHoldMs = 5000

/** Files that may be the copy that copytruncate makes before it truncates: then they are no new generation. */
export class Copies {
  readonly #clock: Clock
  readonly #streams: StreamRegistry
  readonly #since = new Map<string, number>()

  constructor(clock: Clock, streams: StreamRegistry) {
    this.#clock = clock
    this.#streams = streams
  }

  /** True while `found` may be a copy of a file that is followed. */
  mayBe(found: FoundFile): boolean {
    const nowMs = this.#clock.monotonicMs()
    const original = namesBeforeRotation(found.path)
      .map((path) => this.#streams.ofPath(path)?.file)
      .find((file) => file !== undefined && beginsLike(found.path, file))
    const sinceMs = this.#since.get(found.path) ?? nowMs
    if (original !== undefined && nowMs - sinceMs < copyHoldMs) {
      this.#since.set(found.path, sinceMs)
      return true
    }
    this.#since.delete(found.path)
    return false
  }

  /** It was one: the stream of the truncated file goes on in it. */
  taken(path: string): void {
    this.#since.delete(path)
  }
}
