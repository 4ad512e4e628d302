// The measured load of each group, as the collectors report it that serve it.

import type { Load } from '@catchment/protocol'

/** A group that has just come is measured from nothing: until then its former load counts if it is greater. */
const warmUpMs = 15_000

export class GroupLoads {
  readonly #loads = new Map<string, Load>()
  readonly #reporters = new Map<string, { readonly collector: string; readonly sinceMs: number }>()

  get byGroup(): ReadonlyMap<string, Load> {
    return this.#loads
  }

  /** `collector`, which serves the group, reports its load. */
  report(collector: string, group: string, load: Load, nowMs: number): void {
    const reporter = this.#reporters.get(group)
    const same = reporter?.collector === collector
    if (!same) this.#reporters.set(group, { collector, sinceMs: nowMs })
    const before = same && nowMs - reporter.sinceMs >= warmUpMs ? undefined : this.#loads.get(group)
    this.#loads.set(group, before !== undefined && before.bytesPerSecond > load.bytesPerSecond ? before : load)
  }

  /** Forgets the groups that are not known any more, when there are more than `countMax`. */
  prune(countMax: number, isKnown: (group: string) => boolean): void {
    if (this.#reporters.size <= countMax) return
    for (const group of [...this.#reporters.keys()]) {
      if (isKnown(group)) continue
      this.#reporters.delete(group)
      this.#loads.delete(group)
    }
  }

  /** Forgets all loads; who reported what since when is kept for the next lead. */
  clear(): void {
    this.#loads.clear()
  }
}
