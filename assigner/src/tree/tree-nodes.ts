// Nodes of one kind, decoded: each once when it has changed, however often the tree is looked at.

import type { TreeChanges, TreeNode } from '@catchment/coordination'
import { asError, type Log } from '@catchment/runtime'

export interface DecodedNode<T> {
  /** The last that could be understood. */
  readonly value: T | undefined
  readonly version: number
  /** Of the znode, as stored. */
  readonly bytes: number
  /** What it holds now cannot be understood: `value` is of before. */
  readonly unreadable: boolean
}

export interface TreeNodesOptions<T> {
  /** Which paths are of this kind. */
  readonly isOne: (path: string) => boolean
  /** Throws what says why it cannot be understood. */
  readonly decode: (node: TreeNode, path: string) => T
  readonly log: Log
}

export class TreeNodes<T> {
  readonly isOne: (path: string) => boolean
  readonly #options: TreeNodesOptions<T>
  readonly #nodes = new Map<string, DecodedNode<T>>()

  constructor(options: TreeNodesOptions<T>) {
    this.isOne = options.isOne
    this.#options = options
  }

  take(changes: TreeChanges): void {
    for (const [path, node] of changes) {
      if (!this.isOne(path)) continue
      if (node === undefined) this.#nodes.delete(path)
      else this.#nodes.set(path, this.#decode(path, node))
    }
  }

  get(path: string): DecodedNode<T> | undefined {
    return this.#nodes.get(path)
  }

  entries(): IterableIterator<[path: string, node: DecodedNode<T>]> {
    return this.#nodes.entries()
  }

  values(): T[] {
    return [...this.#nodes.values()].flatMap(({ value }) => (value === undefined ? [] : [value]))
  }

  /** Paths of nodes that cannot be understood. */
  unreadable(): string[] {
    return [...this.#nodes].filter(([, { unreadable }]) => unreadable).map(([path]) => path)
  }

  #decode(path: string, node: TreeNode): DecodedNode<T> {
    const before = this.#nodes.get(path)
    const now = { version: node.stat.version, bytes: node.data.length }
    try {
      return { ...now, value: this.#options.decode(node, path), unreadable: false }
    } catch (thrown) {
      if (before?.unreadable !== true)
        this.#options.log.error('cannot understand a node of the tree', { reason: asError(thrown).message })
      return { ...now, value: before?.value, unreadable: true }
    }
  }
}
