import type { WatchEvent } from './session.ts'
import type { WatchedPaths } from './zookeeper.ts'

export type WatchListener = (event: WatchEvent) => void
/** What a watch waits for: `exist` stands on an absent node. */
export type WatchKind = 'data' | 'exist' | 'child'

/** How many bytes of paths go into one request that restores watches, as the Java client does: 60,000 watches are many. */
const restoreBytesMax = 128 << 10

const kindsFiredBy: Readonly<Record<WatchEvent['type'], readonly WatchKind[]>> = {
  created: ['exist', 'data'],
  changed: ['data', 'exist'],
  deleted: ['data', 'child', 'exist'],
  'children-changed': ['child'],
  'session-lost': ['data', 'exist', 'child'],
}

/** The watches that the server holds for this session. One-shot, as ZooKeeper's; a listener counts once per path. */
export class Watches {
  readonly #kinds: Readonly<Record<WatchKind, Map<string, Set<WatchListener>>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
  }

  add(kind: WatchKind, path: string, listener: WatchListener): void {
    const listeners = this.#kinds[kind].get(path)
    if (listeners === undefined) this.#kinds[kind].set(path, new Set([listener]))
    else listeners.add(listener)
  }

  /** Removes and returns the listeners that `event` fires, each once. */
  take(event: WatchEvent): WatchListener[] {
    const fired = new Set<WatchListener>()
    for (const kind of kindsFiredBy[event.type]) {
      for (const listener of this.#kinds[kind].get(event.path) ?? []) fired.add(listener)
      this.#kinds[kind].delete(event.path)
    }
    return [...fired]
  }

  /** Every path that is watched, each once. */
  paths(): string[] {
    return [...new Set(Object.values(this.#kinds).flatMap((watched) => [...watched.keys()]))]
  }

  /** All watches in batches, for a new connection of the same session. */
  *batches(): Generator<WatchedPaths> {
    let batch = emptyBatch()
    let bytes = 0
    for (const kind of ['data', 'exist', 'child'] as const) {
      for (const path of this.#kinds[kind].keys()) {
        batch[kind].push(path)
        bytes += 4 + Buffer.byteLength(path)
        if (bytes < restoreBytesMax) continue
        yield batch
        batch = emptyBatch()
        bytes = 0
      }
    }
    if (bytes > 0) yield batch
  }
}

function emptyBatch(): Record<WatchKind, string[]> {
  return { data: [], exist: [], child: [] }
}
