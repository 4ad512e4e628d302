// One node of the tree, kept in memory: read with a watch, and again when the watch has fired.

import { isCode, type Stat, type WatchEvent, type ZooKeeperSession } from '@catchment/coordination'
import { asError, type Log } from '@catchment/runtime'

export interface TreeNodeOptions<T> {
  readonly decode: (data: Buffer, stat: Stat) => T
  readonly log: Log
  /** It is to be read again. */
  readonly onDirty: () => void
}

export class TreeNode<T> {
  readonly path: string
  dirty = true
  /** The last that could be understood; undefined while there is no node. */
  value: T | undefined
  /** -1 while there is no node. */
  version = -1
  /** Of the znode, as stored. */
  bytes = 0
  /** What it holds now cannot be understood: `value` is of before. */
  unreadable = false
  readonly #options: TreeNodeOptions<T>
  /** Transaction and time of the last change that was read: what has not changed keeps its identity. */
  #changed = ''

  constructor(path: string, options: TreeNodeOptions<T>) {
    this.path = path
    this.#options = options
  }

  /** Left with every read. One for the life of the node: the session keeps each listener until it fires. */
  readonly #watch = (event: WatchEvent): void => {
    this.dirty = true
    if (event.type !== 'session-lost') this.#options.onDirty()
  }

  /** Marked clean before each call, never after: a watch may fire together with the answer that set it. */
  async read(session: ZooKeeperSession, signal: AbortSignal): Promise<void> {
    this.dirty = false
    try {
      const { data, stat } = await session.get(this.path, { watch: this.#watch, signal })
      this.#decode(data, stat)
    } catch (thrown) {
      if (!isCode(thrown, 'no-node')) {
        this.dirty = true
        throw thrown
      }
      await this.#await(session, signal)
    }
  }

  /** Nobody is there: the watch says when it comes. */
  async #await(session: ZooKeeperSession, signal: AbortSignal): Promise<void> {
    this.value = undefined
    this.version = -1
    this.#changed = ''
    this.unreadable = false
    try {
      if ((await session.exists(this.path, { watch: this.#watch, signal })) !== undefined) this.dirty = true
    } catch (thrown) {
      this.dirty = true
      throw thrown
    }
  }

  #decode(data: Buffer, stat: Stat): void {
    // By time too: a ZooKeeper that lost its data numbers its transactions anew.
    const changed = `${stat.mzxid} ${stat.mtimeMs}`
    if (this.#changed === changed) return
    this.#changed = changed
    try {
      this.value = this.#options.decode(data, stat)
      this.unreadable = false
    } catch (thrown) {
      if (!this.unreadable)
        this.#options.log.error('cannot understand a node of the tree', { reason: asError(thrown).message })
      this.unreadable = true
    }
    this.version = stat.version
    this.bytes = stat.dataLength
  }
}
