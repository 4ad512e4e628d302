// Who hears of what. Data and exists watches share one table, as in ZooKeeper: both hear of created, deleted and
// dataChanged; child watches hear of childrenChanged and of the deletion of the parent. Who watches a node's data and
// its children hears of its deletion once. Persistent and recursive watches stand in both tables.

import { eventType, type WatcherType } from '@catchment/zookeeper-wire'
import { type TreeEvent } from '../tree/tree.ts'
import { WatchTable, type WatcherMode } from './watch-table.ts'

export class WatchManager<Watcher> {
  readonly #data = new WatchTable<Watcher>()
  readonly #children = new WatchTable<Watcher>()

  /** Watches held, a path counted once per watcher and table. */
  get size(): number {
    return this.#data.size + this.#children.size
  }

  /** The table of data watches, for reports: ZooKeeper's own count these alone. */
  get data(): WatchTable<Watcher> {
    return this.#data
  }

  countOf(watcher: Watcher): number {
    return this.#data.countOf(watcher) + this.#children.countOf(watcher)
  }

  watchData(path: string, watcher: Watcher): void {
    this.#data.set(path, watcher, 'once')
  }

  watchChildren(path: string, watcher: Watcher): void {
    this.#children.set(path, watcher, 'once')
  }

  watch(path: string, watcher: Watcher, mode: Exclude<WatcherMode, 'once'>): void {
    this.#data.set(path, watcher, mode)
    this.#children.set(path, watcher, mode)
  }

  /** False when there was no such watch. */
  unwatch(path: string, watcher: Watcher, kind: WatcherType): boolean {
    const removed = this.#tables(kind).map((table) => table.delete(path, watcher))
    return removed.includes(true)
  }

  /** Whether anyone at all has such a watch: what ZooKeeper 3.8 answers to a client that asks for its own. */
  isWatched(path: string, kind: WatcherType): boolean {
    return this.#tables(kind).some((table) => table.isWatched(path))
  }

  /** Who hears of the event; watches that were set once are gone. */
  fire(event: Pick<TreeEvent, 'type' | 'path'>): ReadonlySet<Watcher> {
    if (event.type === eventType.childrenChanged) return this.#children.fire(event)
    const watchers = this.#data.fire(event)
    if (event.type === eventType.deleted) for (const watcher of this.#children.fire(event)) watchers.add(watcher)
    return watchers
  }

  /** Forgets a watcher: its connection has ended. */
  remove(watcher: Watcher): void {
    this.#data.forget(watcher)
    this.#children.forget(watcher)
  }

  #tables(kind: WatcherType): WatchTable<Watcher>[] {
    switch (kind) {
      case 'data':
        return [this.#data]
      case 'child':
        return [this.#children]
      case 'any':
        return [this.#data, this.#children]
    }
  }
}
