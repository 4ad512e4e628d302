// Which of the files beside a followed path are generations of it that were never seen: rotated in and away between two
// looks, or while no agent ran.

import { basename } from 'node:path'
import { EventEmitter } from 'node:events'
import type { Log } from '@catchment/runtime'
import { looksNumbered, sameInode, type FileIdentity } from '../decide/identity.ts'
import { regularFileAt, rotatedSiblings, whoIs, type FoundFile } from '../files/file-looks.ts'
import type { FollowedFile } from '../files/followed-file.ts'
import type { Counters } from '../metering/counters.ts'
import type { StreamRegistry } from './stream-registry.ts'

interface UnseenGenerations {
  /** Oldest first. */
  readonly found: readonly FoundFile[]
  /** Numbers between the known generation and the path that no file has. */
  readonly missing: number
}

/**
 * The files among `siblings` that were born after the `known` generation, carry a number or a date as rotation gives
 * them, and are not known. Older ones are never taken: they were there before the first start.
 */
function unseenSince(
  known: KnownGeneration,
  siblings: readonly FoundFile[],
  streams: StreamRegistry,
): UnseenGenerations {
  const name = basename(known.path)
  const bornNs = BigInt(known.identity.bornNs)
  const numbered = siblings.filter(({ path }) => looksNumbered(basename(path), name))
  const found = numbered.filter(
    ({ stat }) => bornNs > 0n && stat.birthtimeNs >= bornNs && streams.ofInode(stat) === undefined,
  )
  const numbers = new Set(numbered.map(({ path }) => numberOf(path)))
  const own = numbered.find(({ stat }) => sameInode(known.identity, whoIs(stat)))
  let missing = 0
  for (let n = 1; n < numberOf(own?.path ?? ''); n += 1) if (!numbers.has(n)) missing += 1
  return { found, missing }
}

export interface KnownGeneration {
  readonly path: string
  readonly identity: FileIdentity
}

export interface GenerationsOptions {
  readonly log: Log
  readonly counters: Counters
  readonly streams: StreamRegistry
}

export interface GenerationsEvents {
  /** The file is a generation of `path` that is not followed yet. */
  found: [path: string, found: FoundFile]
}

/** A rotation that was under way has ended after this many ticks. */
const settledTicks = 3

/**
 * The last generation of each path, for as long as it is known and what came after it was not looked for; and that look.
 * A rotation is many renames, and a look in their midst misses what is just between two names: so each look is done again
 * a moment later, with the same generation to begin from, and only the second one counts what is missing.
 */
export class Generations {
  readonly events = new EventEmitter<GenerationsEvents>()
  readonly #options: GenerationsOptions
  readonly #newest = new Map<string, FollowedFile>()
  readonly #again: { readonly known: KnownGeneration; readonly counts: boolean; ticks: number }[] = []

  constructor(options: GenerationsOptions) {
    this.#options = options
  }

  newestOf(path: string): FollowedFile | undefined {
    return this.#newest.get(path)
  }

  keep(file: FollowedFile): void {
    const other = this.#newest.get(file.path)
    if (other === undefined || BigInt(other.identity.bornNs) <= BigInt(file.identity.bornNs))
      this.#newest.set(file.path, file)
  }

  forget(file: FollowedFile): void {
    if (this.#newest.get(file.path) === file) this.#newest.delete(file.path)
  }

  /** `known` lies no longer at its path: follows what came after it. */
  lookAfter(known: KnownGeneration): void {
    // While the path has no file the next generation is still to come, and the look for it counts.
    const counts = regularFileAt(known.path) !== undefined
    if (counts) this.#newest.delete(known.path)
    this.#follow(known)
    this.#again.push({ known, counts, ticks: settledTicks })
  }

  tick(): void {
    for (const look of this.#again) look.ticks -= 1
    while (this.#again[0] !== undefined && this.#again[0].ticks <= 0) {
      for (const { known, counts } of this.#again.splice(0, 1)) {
        const missing = this.#follow(known)
        if (counts) this.#count(known, missing)
      }
    }
  }

  #follow(known: KnownGeneration): number {
    const { found, missing } = unseenSince(known, rotatedSiblings(known.path), this.#options.streams)
    for (const one of found) this.events.emit('found', known.path, one)
    return missing
  }

  #count(known: KnownGeneration, missing: number): void {
    if (missing === 0) return
    this.#options.counters.add('unobserved_generations', missing)
    this.#options.log.error('generations were rotated away unseen', { path: known.path, count: missing })
  }
}

/** `app.log.3` → 3; 0 for other names. */
function numberOf(path: string): number {
  const digits = /\.(\d{1,6})$/.exec(path)?.[1]
  return digits === undefined ? 0 : Number(digits)
}
