// The tree below the root, kept in memory: every node that matters is read once with a watch, and again when the watch
// fires. A snapshot is whole: after the lists were read the manifest is read again, and had it changed, so is the rest.

import type { Stat, ZooKeeperSession } from '@catchment/coordination'
import {
  adminSchema,
  candidateSchema,
  collectorListSchema,
  collectorStatusSchema,
  decodeZnode,
  emptyCollectorList,
  leaderSchema,
  manifestSchema,
  outcomesSchema,
  type Admin,
  type Candidate,
  type CollectorList,
  type CollectorStatus,
  type CommandOutcome,
  type Leader,
  type Manifest,
  type TreePaths,
} from '@catchment/protocol'
import { asError, Background, fullJitter, sleep, type Log, type Timer } from '@catchment/runtime'
import { TreeNode } from './tree-node.ts'

export interface CachedCollector {
  readonly list: CollectorList
  readonly listVersion: number
  /** Of the znode, as stored. */
  readonly listBytes: number
  readonly status: { readonly status: CollectorStatus; readonly revision: string } | undefined
  readonly admin: Admin | undefined
  /** -1 while there is no such node. */
  readonly adminVersion: number
}

export interface Snapshot {
  readonly manifest: Manifest
  readonly manifestVersion: number
  readonly leader: Leader | undefined
  readonly candidates: readonly Candidate[]
  /** Of commands, the newest first. */
  readonly outcomes: readonly CommandOutcome[]
  readonly outcomesVersion: number
  readonly collectors: ReadonlyMap<string, CachedCollector>
  /** Nodes that hold what cannot be read; what they held before stands in for them, and nobody may plan. */
  readonly unreadable: readonly string[]
}

interface CollectorNodes {
  readonly list: TreeNode<CollectorList>
  readonly status: TreeNode<{ status: CollectorStatus; revision: string }>
  readonly admin: TreeNode<Admin>
}

const emptyManifest: Manifest = { epoch: 0, at: 0, why: 'nothing has been assigned yet', term: 0 }
const noOutcomes: readonly CommandOutcome[] = []
const readsAtOnceMax = 256
/** Everything is read again now and then, whatever the watches say. */
const rereadIntervalMs = 60_000
const backoff = { baseMs: 50, maxMs: 2_000 }

export class TreeCache {
  readonly #session: ZooKeeperSession
  readonly #paths: TreePaths
  readonly #log: Log
  readonly #background: Background
  readonly #unsubscribe: () => void
  readonly #onSnapshot: (snapshot: Snapshot) => void
  readonly #manifest: TreeNode<Manifest>
  readonly #leader: TreeNode<Leader>
  readonly #outcomes: TreeNode<CommandOutcome[]>
  readonly #collectors = new Map<string, CollectorNodes>()
  readonly #candidates = new Map<string, TreeNode<Candidate>>()
  #childrenDirty = { collectors: true, candidates: true }
  #generation: number
  #mode: 'idle' | 'reading' | 'closed' = 'idle'
  #due = false
  #timer: Timer | undefined
  readonly #watchChildren = {
    collectors: (): void => {
      this.#onChildren('collectors')
    },
    candidates: (): void => {
      this.#onChildren('candidates')
    },
  }
  readonly #waiters: { resolve: (snapshot: Snapshot) => void; reject: (error: Error) => void; sync: boolean }[] = []

  /** `onSnapshot` is called after every reading, changed or not. */
  constructor(
    session: ZooKeeperSession,
    paths: TreePaths,
    options: { log: Log; onSnapshot: (snapshot: Snapshot) => void },
  ) {
    this.#session = session
    this.#paths = paths
    this.#log = options.log
    this.#onSnapshot = options.onSnapshot
    this.#background = new Background((name, error) => {
      this.#log.error(`${name} ended by a bug`, { reason: error.stack })
    })
    this.#generation = session.generation
    this.#manifest = this.#node(paths.assignment, (data) =>
      data.length === 0 ? emptyManifest : decodeZnode(manifestSchema, data, paths.assignment),
    )
    this.#leader = this.#node(paths.leader, (data) => decodeZnode(leaderSchema, data, paths.leader))
    this.#outcomes = this.#node(paths.outcomes, (data) =>
      data.length === 0 ? [] : decodeZnode(outcomesSchema, data, paths.outcomes),
    )
    this.#unsubscribe = session.onState((state) => {
      if (state === 'connected') this.#wake()
    })
    this.#rereadLater()
  }

  #rereadLater(): void {
    this.#timer = this.#session.clock.after(rereadIntervalMs, () => {
      this.#forget()
      this.#wake()
      this.#rereadLater()
    })
  }

  /** Resolves with what a reading finds that begins after this call. `sync`: nothing older than this call. */
  refresh(options: { sync: boolean }): Promise<Snapshot> {
    if (this.#mode === 'closed') return Promise.reject(new Error('the tree is not followed any more'))
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject, sync: options.sync })
      this.#wake()
    })
  }

  async close(): Promise<void> {
    this.#mode = 'closed'
    this.#timer?.cancel()
    this.#unsubscribe()
    for (const { reject } of this.#waiters.splice(0)) reject(new Error('the tree is not followed any more'))
    await this.#background.close()
  }

  #wake(): void {
    this.#due = true
    if (this.#mode !== 'idle') return
    this.#mode = 'reading'
    this.#background.run('reading the tree', (signal) => this.#read(signal))
  }

  async #read(signal: AbortSignal): Promise<void> {
    let delays = fullJitter(this.#session.random, backoff)()
    while (this.#due) {
      this.#due = false
      const waiters = this.#waiters.splice(0)
      try {
        const snapshot = await this.#pass(
          waiters.some(({ sync }) => sync),
          signal,
        )
        this.#onSnapshot(snapshot)
        for (const { resolve } of waiters) resolve(snapshot)
        delays = fullJitter(this.#session.random, backoff)()
      } catch (thrown) {
        const error = asError(thrown)
        for (const { reject } of waiters) reject(error)
        if (signal.aborted) return
        this.#log.debug('cannot read the tree, again soon', { reason: error.message })
        this.#due = true
        const delay = delays.next()
        await sleep(this.#session.clock, delay.done === true ? backoff.maxMs : delay.value, signal)
      }
    }
    if (this.#mode === 'reading') this.#mode = 'idle'
  }

  async #pass(sync: boolean, signal: AbortSignal): Promise<Snapshot> {
    const { generation } = this.#session
    if (generation !== this.#generation) this.#forget()
    if (sync || generation !== this.#generation) await this.#session.sync(this.#paths.root, { signal })
    this.#generation = generation
    for (;;) {
      await this.#readChildren(signal)
      const dirty = this.#nodes().filter((node) => node.dirty)
      const lists = dirty.some(({ path }) => path.lastIndexOf('/') === this.#paths.collectors.length)
      for (let from = 0; from < dirty.length; from += readsAtOnceMax)
        await Promise.all(dirty.slice(from, from + readsAtOnceMax).map((node) => node.read(this.#session, signal)))
      if (lists && (await this.#manifestChanged(signal))) this.#manifest.dirty = true
      if (!this.#isDirty()) return this.#snapshot()
    }
  }

  /** Everything is read again: a new session has no watches. */
  #forget(): void {
    this.#childrenDirty = { collectors: true, candidates: true }
    for (const node of this.#nodes()) node.dirty = true
  }

  #isDirty(): boolean {
    const { collectors, candidates } = this.#childrenDirty
    return collectors || candidates || this.#nodes().some(({ dirty }) => dirty)
  }

  #nodes(): TreeNode<unknown>[] {
    const collectors = [...this.#collectors.values()].flatMap(({ list, status, admin }) => [list, status, admin])
    return [this.#manifest, this.#leader, this.#outcomes, ...collectors, ...this.#candidates.values()]
  }

  async #readChildren(signal: AbortSignal): Promise<void> {
    if (this.#childrenDirty.collectors) {
      this.#childrenDirty.collectors = false
      const names = await this.#children('collectors', signal)
      prune(this.#collectors, names)
      for (const id of names) if (!this.#collectors.has(id)) this.#collectors.set(id, this.#collectorNodes(id))
    }
    if (this.#childrenDirty.candidates) {
      this.#childrenDirty.candidates = false
      const names = await this.#children('candidates', signal)
      prune(this.#candidates, names)
      for (const name of names) {
        const path = `${this.#paths.candidates}/${name}`
        if (!this.#candidates.has(name))
          this.#candidates.set(
            name,
            this.#node(path, (data) => decodeZnode(candidateSchema, data, path)),
          )
      }
    }
  }

  #onChildren(which: 'collectors' | 'candidates'): void {
    this.#childrenDirty[which] = true
    this.#wake()
  }

  async #children(which: 'collectors' | 'candidates', signal: AbortSignal): Promise<string[]> {
    const watch = this.#watchChildren[which]
    try {
      return (await this.#session.children(this.#paths[which], { watch, signal })).names
    } catch (thrown) {
      this.#childrenDirty[which] = true
      throw thrown
    }
  }

  #node<T>(path: string, decode: (data: Buffer, stat: Stat) => T): TreeNode<T> {
    return new TreeNode(path, {
      decode,
      log: this.#log,
      onDirty: () => {
        this.#wake()
      },
    })
  }

  #collectorNodes(id: string): CollectorNodes {
    const [list, status, admin] = [this.#paths.collector(id), this.#paths.status(id), this.#paths.admin(id)]
    return {
      list: this.#node(list, (data) =>
        data.length === 0 ? emptyCollectorList : decodeZnode(collectorListSchema, data, list),
      ),
      status: this.#node(status, (data, { mzxid }) => ({
        status: decodeZnode(collectorStatusSchema, data, status),
        revision: mzxid,
      })),
      admin: this.#node(admin, (data) => decodeZnode(adminSchema, data, admin)),
    }
  }

  async #manifestChanged(signal: AbortSignal): Promise<boolean> {
    const stat = await this.#session.exists(this.#paths.assignment, { signal })
    return (stat?.version ?? -1) !== this.#manifest.version
  }

  #snapshot(): Snapshot {
    const collectors = new Map<string, CachedCollector>()
    for (const [id, { list, status, admin }] of this.#collectors)
      if (list.value !== undefined)
        collectors.set(id, {
          list: list.value,
          listVersion: list.version,
          listBytes: list.bytes,
          status: status.value,
          admin: admin.value,
          adminVersion: admin.version,
        })
    return {
      manifest: this.#manifest.value ?? emptyManifest,
      manifestVersion: this.#manifest.version,
      leader: this.#leader.value,
      outcomes: this.#outcomes.value ?? noOutcomes,
      outcomesVersion: this.#outcomes.version,
      candidates: [...this.#candidates.values()].flatMap(({ value }) => (value === undefined ? [] : [value])),
      collectors,
      unreadable: this.#unreadable(),
    }
  }

  /** A candidate that cannot be read harms nobody's plan. */
  #unreadable(): string[] {
    const lists = [...this.#collectors.values()].map(({ list }) => list)
    return [this.#manifest, ...lists].filter((node) => node.unreadable).map(({ path }) => path)
  }
}

function prune(nodes: Map<string, unknown>, names: readonly string[]): void {
  const present = new Set(names)
  for (const name of [...nodes.keys()]) if (!present.has(name)) nodes.delete(name)
}
