// One table of watches. A watch that is set `once` is spent when it fires; a `persistent` one stays; a `recursive` one
// stays too and hears of everything below its path, except that children changed: it hears of each child itself.
//
// As in ZooKeeper 3.8 a connection has one watch per path and table, and the mode that was set last counts: who reads
// with a watch where he has a persistent one has a watch that is spent when it fires (ZOOKEEPER-4466).

import { eventType } from '@catchment/zookeeper-wire'
import { ancestorsOf } from '../tree/paths.ts'
import { type TreeEvent } from '../tree/tree.ts'

export type WatcherMode = 'once' | 'persistent' | 'recursive'

export class WatchTable<Watcher> {
  readonly #watchers = new Map<string, Map<Watcher, WatcherMode>>()
  readonly #paths = new Map<Watcher, Set<string>>()
  #size = 0
  #recursive = 0

  /** Watches held. */
  get size(): number {
    return this.#size
  }

  /** Paths that are watched, by anyone. */
  get pathCount(): number {
    return this.#watchers.size
  }

  get watcherCount(): number {
    return this.#paths.size
  }

  countOf(watcher: Watcher): number {
    return this.#paths.get(watcher)?.size ?? 0
  }

  isWatched(path: string): boolean {
    return this.#watchers.has(path)
  }

  set(path: string, watcher: Watcher, mode: WatcherMode): void {
    this.delete(path, watcher)
    const watchers = this.#watchers.get(path) ?? new Map<Watcher, WatcherMode>()
    this.#watchers.set(path, watchers.set(watcher, mode))
    const paths = this.#paths.get(watcher) ?? new Set()
    this.#paths.set(watcher, paths.add(path))
    this.#size += 1
    if (mode === 'recursive') this.#recursive += 1
  }

  /** False when there was no such watch. */
  delete(path: string, watcher: Watcher): boolean {
    const watchers = this.#watchers.get(path)
    const mode = watchers?.get(watcher)
    if (watchers === undefined || mode === undefined) return false
    watchers.delete(watcher)
    if (watchers.size === 0) this.#watchers.delete(path)
    const paths = this.#paths.get(watcher)
    paths?.delete(path)
    if (paths?.size === 0) this.#paths.delete(watcher)
    this.#size -= 1
    if (mode === 'recursive') this.#recursive -= 1
    return true
  }

  /** Forgets a watcher: its connection has ended. */
  forget(watcher: Watcher): void {
    for (const path of [...(this.#paths.get(watcher) ?? [])]) this.delete(path, watcher)
  }

  /** Who hears of the event, each once. Watches that were set once are gone. */
  fire({ type, path }: Pick<TreeEvent, 'type' | 'path'>): Set<Watcher> {
    const hear = new Set<Watcher>()
    for (const [watcher, mode] of [...(this.#watchers.get(path) ?? [])]) {
      if (mode === 'recursive') continue
      hear.add(watcher)
      if (mode === 'once') this.delete(path, watcher)
    }
    if (this.#recursive > 0 && type !== eventType.childrenChanged)
      for (const at of [path, ...ancestorsOf(path)])
        for (const [watcher, mode] of this.#watchers.get(at) ?? []) if (mode === 'recursive') hear.add(watcher)
    return hear
  }
}
