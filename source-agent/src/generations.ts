// Which of the files beside a followed path are generations of it that nobody has seen: rotated in and away between two
// looks, or while no agent ran.

import { basename } from 'node:path'
import type { BigIntStats } from 'node:fs'
import { looksNumbered, sameInode } from './decide/identity.ts'
import { whoIs, type Found } from './file-looks.ts'
import type { Followed } from './followed.ts'

export interface Unseen {
  /** Oldest first. */
  readonly found: readonly Found[]
  /** Numbers between the known generation and the path that no file has. */
  readonly missing: number
}

/**
 * The files among `siblings` that were born after the `known` generation, carry a number or a date as rotation gives
 * them, and that nobody `knows`. Older ones are never taken: they were there before the first start.
 */
export function unseenSince(
  known: Pick<Followed, 'path' | 'identity'>,
  siblings: readonly Found[],
  knows: (stat: BigIntStats) => boolean,
): Unseen {
  const name = basename(known.path)
  const bornNs = BigInt(known.identity.bornNs)
  const numbered = siblings.filter(({ path }) => looksNumbered(basename(path), name))
  const found = numbered.filter(({ stat }) => bornNs > 0n && stat.birthtimeNs >= bornNs && !knows(stat))
  const numbers = new Set(numbered.map(({ path }) => numberOf(path)))
  const own = numbered.find(({ stat }) => sameInode(known.identity, whoIs(stat)))
  let missing = 0
  for (let n = 1; n < numberOf(own?.path ?? ''); n += 1) if (!numbers.has(n)) missing += 1
  return { found, missing }
}

/** The last generation of each path, for as long as it is known and nobody has looked for what came after it. */
export class Newest {
  readonly #byPath = new Map<string, Followed>()

  of(path: string): Followed | undefined {
    return this.#byPath.get(path)
  }

  keep(followed: Followed): void {
    const other = this.#byPath.get(followed.path)
    if (other === undefined || BigInt(other.identity.bornNs) <= BigInt(followed.identity.bornNs))
      this.#byPath.set(followed.path, followed)
  }

  /** Another generation lies at `path` now, and what came between has been looked for. */
  succeeded(path: string): void {
    this.#byPath.delete(path)
  }

  forget(followed: Followed): void {
    if (this.#byPath.get(followed.path) === followed) this.#byPath.delete(followed.path)
  }
}

/** `app.log.3` → 3; 0 for other names. */
function numberOf(path: string): number {
  const digits = /\.(\d{1,6})$/.exec(path)?.[1]
  return digits === undefined ? 0 : Number(digits)
}
