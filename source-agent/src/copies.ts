import type { Clock } from '@catchment/runtime'
import type { FileIdentity } from './decide/identity.ts'
import { beginsLike, namesBeforeRotation, type Found } from './file-looks.ts'

/** So long a new file that begins like the one it may be a copy of is left alone. */
const copyHoldMs = 5000

/** Files that may be the copy that copytruncate makes before it truncates: then they are no new generation. */
export class Copies {
  readonly #clock: Clock
  readonly #since = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True while `found` may be a copy of one of the files that `followedAt` knows. */
  mayBe(
    found: Found,
    followedAt: (path: string) => { identity: FileIdentity; sizeBytes: number } | undefined,
  ): boolean {
    const nowMs = this.#clock.monotonicMs()
    const original = namesBeforeRotation(found.path)
      .map(followedAt)
      .find((followed) => followed !== undefined && beginsLike(found.path, followed))
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
