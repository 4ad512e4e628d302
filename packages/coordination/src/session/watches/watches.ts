import type { WatcherType } from '@catchment/zookeeper-wire'
import type { WatchedPaths, WatchMode } from '../requests/requests.ts'
import type { WatchEvent, WatchListener } from '../contract/session.ts'

/** What a listener waits for: once data, the appearance (`exist`) or children of a node; always a node, or all below it. */
export type WatchKind = 'data' | 'exist' | 'child' | WatchMode
/** The one-shot watches that a server keeps of a path: `exist` stands with those on data. */
export type OneShotTable = 'data' | 'child'

/** How many bytes of paths go into one request that restores watches, as the Java client does: 60,000 watches are many. */
const restoreBytesMax = 128 << 10

const kinds: readonly WatchKind[] = ['data', 'exist', 'child', 'persistent', 'recursive']
const kindsOf: Readonly<Record<OneShotTable, readonly WatchKind[]>> = { data: ['data', 'exist'], child: ['child'] }
const onceKinds: Readonly<Record<WatchEvent['type'], readonly WatchKind[]>> = {
  created: ['exist', 'data'],
  changed: ['data', 'exist'],
  deleted: ['data', 'child', 'exist'],
  'children-changed': ['child'],
  missed: [],
  'session-lost': ['data', 'exist', 'child'],
}

/** A listener, and what it is to be notified of. */
export type Notice = readonly [listener: WatchListener, event: WatchEvent]

/**
 * Who listens to which path, and so which watches the server must hold for this session.
 *
 * A server up to 3.8 keeps one mode per path: a read that watches a path which has a persistent watch makes it one-shot
 * (ZOOKEEPER-4466). So one watch, the strongest that was asked for, serves every listener of a path: while the server holds
 * a persistent one, reads there do not ask for theirs, and a recursive one stands in for a persistent one, its
 * `children-changed` reported from what happens to the children. It is given back when the last listener of the path is gone.
 *
 * Packets are handled by the server in the order in which they were sent. So all is decided at the sending (`ask`,
 * `release`), and listeners are added when the answer comes; between the two, `asking` counts them as listeners to be.
 */
export class Watches {
  readonly #listeners: Readonly<Record<WatchKind, Map<string, Set<WatchListener>>>> = {
    ...{ data: new Map(), exist: new Map(), child: new Map() },
    ...{ persistent: new Map(), recursive: new Map() },
  }
  readonly #asking: Readonly<Record<OneShotTable, Map<string, number>>> = { data: new Map(), child: new Map() }
  /** The watches that stay, as the server holds or was asked to hold them. */
  readonly #held = new Map<string, WatchMode>()
  /** Where each listener stands. */
  readonly #paths = new Map<WatchListener, Set<string>>()
  #size = 0

  /** Listeners, a function counted once per path and kind. */
  get size(): number {
    return this.#size
  }

  /** Called when a read that watches is sent: whether it has to ask the server for the watch. */
  ask(table: OneShotTable, path: string): boolean {
    this.#count(table, path, 1)
    return !this.#held.has(path)
  }

  /** Called when an addWatch is sent: the mode to ask for. */
  askToStay(path: string, mode: WatchMode): WatchMode {
    this.#count('data', path, 1)
    this.#count('child', path, 1)
    const asked = this.#held.get(path) === 'recursive' ? 'recursive' : mode
    this.#held.set(path, asked)
    return asked
  }

  /** Called once for each `ask`, when the answer has come or never will, after `add`. */
  answered(table: OneShotTable, path: string): void {
    this.#count(table, path, -1)
  }

  /** As `answered`, for `askToStay`. Whether the server `refused`, which leaves others that relied on it without a watch. */
  answeredToStay(path: string, refused: boolean): boolean {
    this.#count('data', path, -1)
    this.#count('child', path, -1)
    if (!refused || this.#listeners.persistent.has(path) || this.#listeners.recursive.has(path)) return false
    this.#held.delete(path)
    return !this.#idle(path, 'any')
  }

  add(kind: WatchKind, path: string, listener: WatchListener): void {
    const listeners = this.#listeners[kind].get(path) ?? new Set()
    this.#listeners[kind].set(path, listeners)
    if (!listeners.has(listener)) this.#size += 1
    listeners.add(listener)
    const paths = this.#paths.get(listener) ?? new Set()
    this.#paths.set(listener, paths.add(path))
  }

  /** Whether it was there. */
  remove(kind: WatchKind, path: string, listener: WatchListener): boolean {
    const listeners = this.#listeners[kind].get(path)
    if (listeners?.delete(listener) !== true) return false
    this.#size -= 1
    if (listeners.size === 0) this.#listeners[kind].delete(path)
    if (!kinds.some((other) => this.#listeners[other].get(path)?.has(listener) === true)) {
      const paths = this.#paths.get(listener)
      paths?.delete(path)
      if (paths?.size === 0) this.#paths.delete(listener)
    }
    return true
  }

  pathsOf(listener: WatchListener): string[] {
    return [...(this.#paths.get(listener) ?? [])]
  }

  /** What the server can be asked to drop, because no one listens to it; undefined when someone does. */
  releasable(table: OneShotTable, path: string): WatcherType | undefined {
    const type = this.#held.has(path) ? 'any' : table
    return this.#idle(path, type) ? type : undefined
  }

  /** Called when a removal is sent. */
  release(path: string): void {
    this.#held.delete(path)
  }

  /** Who is notified of `event`, which a server sent, and as what; those of reads are removed. */
  take(event: WatchEvent): Notice[] {
    const { type, path } = event
    if (type === 'children-changed' && this.#held.get(path) === 'recursive') return [] // reported from the children
    const notices = this.#takeAt(event)
    if (this.#held.size === 0 || type === 'children-changed') return notices
    const parent = parentOf(path)
    if (type !== 'changed' && parent !== undefined && this.#held.get(parent) === 'recursive')
      notices.push(...this.#takeAt({ type: 'children-changed', path: parent }))
    for (const above of upwards(path))
      for (const listener of this.#listeners.recursive.get(above) ?? []) notices.push([listener, event])
    return notices
  }

  /** Paths at and above `path` whose watch that stays serves no one any more: what is left of reads that were notified. */
  *leftOver(path: string): Generator<string> {
    if (this.#held.size === 0) return
    for (const above of upwards(path)) if (this.#held.has(above) && this.#idle(above, 'any')) yield above
  }

  /** What to report when the session is lost: everyone, once per path. Nothing is left. */
  takeAll(): Notice[] {
    const notices = new Map<string, Set<WatchListener>>()
    for (const kind of kinds)
      for (const [path, listeners] of this.#listeners[kind])
        notices.set(path, new Set([...(notices.get(path) ?? []), ...listeners]))
    for (const kind of kinds) this.#listeners[kind].clear()
    this.#held.clear()
    this.#paths.clear()
    this.#size = 0
    return [...notices].flatMap(([path, listeners]) =>
      [...listeners].map((listener): Notice => [listener, { type: 'session-lost', path }]),
    )
  }

  /** What to report to those whose watches stay, after the connection was lost and is there again. */
  missed(): Notice[] {
    return (['persistent', 'recursive'] as const).flatMap((kind) =>
      [...this.#listeners[kind]].flatMap(([path, listeners]) =>
        [...listeners].map((listener): Notice => [listener, { type: 'missed', path }]),
      ),
    )
  }

  /**
   * All watches in batches, for a new connection. Those of reads come first, also where one that stays will serve them:
   * the server reports what they missed, and a persistent watch that comes after makes them stay.
   */
  *restore(): Generator<WatchedPaths> {
    this.#held.clear()
    for (const mode of ['persistent', 'recursive'] as const)
      for (const path of this.#listeners[mode].keys()) this.#held.set(path, mode)
    let batch = emptyBatch()
    let bytes = 0
    for (const [kind, path] of this.#restorable()) {
      batch[kind].push(path)
      bytes += 4 + Buffer.byteLength(path)
      if (bytes < restoreBytesMax) continue
      yield batch
      batch = emptyBatch()
      bytes = 0
    }
    if (bytes > 0) yield batch
  }

  *#restorable(): Generator<[WatchKind, string]> {
    for (const kind of kindsOf.data) for (const path of this.#listeners[kind].keys()) yield [kind, path]
    for (const path of this.#listeners.child.keys()) yield ['child', path]
    for (const [path, mode] of this.#held) yield [mode, path]
  }

  #takeAt(event: WatchEvent): Notice[] {
    const notified = new Set<WatchListener>()
    for (const kind of onceKinds[event.type])
      for (const listener of this.#listeners[kind].get(event.path) ?? []) {
        notified.add(listener)
        this.remove(kind, event.path, listener)
      }
    for (const listener of this.#listeners.persistent.get(event.path) ?? []) notified.add(listener)
    return [...notified].map((listener) => [listener, event])
  }

  #idle(path: string, type: WatcherType): boolean {
    if (this.#listeners.persistent.has(path) || this.#listeners.recursive.has(path)) return false
    const tables: readonly OneShotTable[] = type === 'any' ? ['data', 'child'] : [type]
    return tables.every(
      (table) => !this.#asking[table].has(path) && kindsOf[table].every((kind) => !this.#listeners[kind].has(path)),
    )
  }

  #count(table: OneShotTable, path: string, by: number): void {
    const count = (this.#asking[table].get(path) ?? 0) + by
    if (count === 0) this.#asking[table].delete(path)
    else this.#asking[table].set(path, count)
  }
}

function emptyBatch(): Record<WatchKind, string[]> {
  return { data: [], exist: [], child: [], persistent: [], recursive: [] }
}

/** The path and all above it. */
function* upwards(path: string): Generator<string> {
  for (let above: string | undefined = path; above !== undefined; above = parentOf(above)) yield above
}

function parentOf(path: string): string | undefined {
  return path === '/' ? undefined : path.slice(0, path.lastIndexOf('/')) || '/'
}
