// Watches fire once. Data and exists watches share one table, as in ZooKeeper: both hear of created, deleted and
// dataChanged; child watches hear of childrenChanged and of the deletion of the parent. Who watches a node's data and
// its children hears of its deletion once.

import { eventType, type TreeEvent } from './tree.ts'

type Table<Watcher> = Map<string, Set<Watcher>>

export class Watches<Watcher> {
  readonly #data: Table<Watcher> = new Map()
  readonly #children: Table<Watcher> = new Map()
  readonly #pathsOf = new Map<Watcher, { readonly data: Set<string>; readonly children: Set<string> }>()
  #size = 0

  /** Watches held, a path counted once per watcher and table. */
  get size(): number {
    return this.#size
  }

  countOf(watcher: Watcher): number {
    const paths = this.#pathsOf.get(watcher)
    return paths === undefined ? 0 : paths.data.size + paths.children.size
  }

  watchData(path: string, watcher: Watcher): void {
    this.#add(this.#data, path, watcher)
    this.#paths(watcher).data.add(path)
  }

  watchChildren(path: string, watcher: Watcher): void {
    this.#add(this.#children, path, watcher)
    this.#paths(watcher).children.add(path)
  }

  /** Who hears of the event; their watches are gone. */
  fire({ type, path }: Pick<TreeEvent, 'type' | 'path'>): ReadonlySet<Watcher> {
    if (type === eventType.childrenChanged) return this.#takeChildren(path)
    const watchers = this.#takeData(path)
    return type === eventType.deleted ? new Set([...watchers, ...this.#takeChildren(path)]) : watchers
  }

  /** Forgets a watcher: its connection has ended. */
  remove(watcher: Watcher): void {
    const paths = this.#pathsOf.get(watcher)
    if (paths === undefined) return
    for (const path of paths.data) this.#drop(this.#data, path, watcher)
    for (const path of paths.children) this.#drop(this.#children, path, watcher)
    this.#pathsOf.delete(watcher)
  }

  #takeData(path: string): ReadonlySet<Watcher> {
    const watchers = this.#take(this.#data, path)
    for (const watcher of watchers) this.#paths(watcher).data.delete(path)
    return watchers
  }

  #takeChildren(path: string): ReadonlySet<Watcher> {
    const watchers = this.#take(this.#children, path)
    for (const watcher of watchers) this.#paths(watcher).children.delete(path)
    return watchers
  }

  #take(table: Table<Watcher>, path: string): Set<Watcher> {
    const watchers = table.get(path) ?? new Set()
    table.delete(path)
    this.#size -= watchers.size
    return watchers
  }

  #add(table: Table<Watcher>, path: string, watcher: Watcher): void {
    const watchers = table.get(path) ?? new Set()
    if (!watchers.has(watcher)) this.#size += 1
    table.set(path, watchers.add(watcher))
  }

  #drop(table: Table<Watcher>, path: string, watcher: Watcher): void {
    const watchers = table.get(path)
    if (watchers?.delete(watcher) === true) this.#size -= 1
    if (watchers?.size === 0) table.delete(path)
  }

  #paths(watcher: Watcher): { readonly data: Set<string>; readonly children: Set<string> } {
    const known = this.#pathsOf.get(watcher)
    if (known !== undefined) return known
    const paths = { data: new Set<string>(), children: new Set<string>() }
    this.#pathsOf.set(watcher, paths)
    return paths
  }
}
