// What the assigner knows of the tree below the root: a followed copy of the nodes that matter, decoded. A snapshot is the
// tree of one moment, unless for a second it changes faster than it can be read: then each node is true by itself, and the
// versions in every publish guard it. The journal, commands and configuration are not in it.

import { followTree, type FollowedTree, type TreeUpdate, type ZooKeeperSession } from '@catchment/coordination'
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
import { CatchmentError, type Log } from '@catchment/runtime'
import { TreeNodes, type TreeNodesOptions } from './tree-nodes.ts'

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
  /** Nodes that hold what cannot be read; what they held before stands in for them, and no one may plan. */
  readonly unreadable: readonly string[]
  /** The limits that the tree has outgrown, for people: this was read before, and no one may plan by it. */
  readonly outgrown: string | undefined
}

const emptyManifest: Manifest = { epoch: 0, at: 0, why: 'nothing has been assigned yet', term: 0 }
const noOutcomes: readonly CommandOutcome[] = []
/** Of followed nodes: three of each collector, and a few. */
const nodesMaxDefault = 100_000
/** Of what they hold, as stored: 1,000 full lists. In memory the lists weigh several times that. */
const bytesMaxDefault = 512 << 20

export interface TreeCacheOptions {
  readonly log: Log
  readonly nodesMax?: number
  readonly bytesMax?: number
}

export class TreeCache {
  readonly #session: ZooKeeperSession
  readonly #paths: TreePaths
  readonly #nodes: Nodes
  readonly #listeners = new Set<(snapshot: Snapshot) => void>()
  readonly #followed: FollowedTree
  #snapshot: Snapshot

  constructor(session: ZooKeeperSession, paths: TreePaths, options: TreeCacheOptions) {
    const { nodesMax = nodesMaxDefault, bytesMax = bytesMaxDefault } = options
    this.#session = session
    this.#paths = paths
    this.#nodes = nodesOf(paths, options.log)
    this.#snapshot = this.#build(undefined)
    const kinds = Object.values({ ...this.#nodes })
    const above = new Set([paths.collectors, paths.candidates, parentOf(paths.candidates), parentOf(paths.leader)])
    this.#followed = followTree(session, paths.root, {
      ...{ nodesMax, bytesMax },
      includes: (path) => above.has(path) || kinds.some((kind) => kind.isOne(path)),
      onTree: (update) => {
        this.#take(update)
      },
      onStale: (stale) => {
        const outgrown =
          this.#followed.tooLarge === undefined ? undefined : `${nodesMax} nodes and ${bytesMax >> 20} MiB`
        if (outgrown !== undefined) options.log.error('the tree has outgrown what is followed', { nodesMax, bytesMax })
        if (outgrown !== undefined || !stale) this.#show(outgrown)
      },
    })
  }

  /**
   * Resolves with what a reading finds that begins after this call. `sync`: nothing older than this call; else nothing older
   * than what this session wrote.
   */
  async refresh(options: { sync: boolean }): Promise<Snapshot> {
    await this.#followed.refresh(options)
    return this.#snapshot
  }

  /** As `refresh` with a sync; rejects at once while ZooKeeper is not connected. */
  async catchUp(): Promise<Snapshot> {
    if (this.#session.state !== 'connected') throw notConnected()
    return await this.refresh({ sync: true })
  }

  /** Called after each change, and when all has been read again after a time without a server. */
  onSnapshot(listener: (snapshot: Snapshot) => void): void {
    this.#listeners.add(listener)
  }

  async close(): Promise<void> {
    await this.#followed.close()
  }

  #take({ changes }: TreeUpdate): void {
    for (const kind of Object.values({ ...this.#nodes })) kind.take(changes)
    this.#show(undefined)
  }

  #show(outgrown: string | undefined): void {
    this.#snapshot = this.#build(outgrown)
    for (const listener of this.#listeners) listener(this.#snapshot)
  }

  #build(outgrown: string | undefined): Snapshot {
    const { manifests, leaders, outcomes, lists, candidates } = this.#nodes
    const manifest = manifests.get(this.#paths.assignment)
    const ended = outcomes.get(this.#paths.outcomes)
    return {
      manifest: manifest?.value ?? emptyManifest,
      manifestVersion: manifest?.version ?? -1,
      leader: leaders.get(this.#paths.leader)?.value,
      outcomes: ended?.value ?? noOutcomes,
      outcomesVersion: ended?.version ?? -1,
      candidates: candidates.values(),
      collectors: this.#collectors(),
      // A candidate that cannot be read harms no plan.
      unreadable: [...manifests.unreadable(), ...lists.unreadable()],
      outgrown,
    }
  }

  #collectors(): Map<string, CachedCollector> {
    const { lists, statuses, admins } = this.#nodes
    const collectors = new Map<string, CachedCollector>()
    for (const [path, { value, version, bytes }] of lists.entries()) {
      if (value === undefined) continue
      const id = nameOf(path)
      const admin = admins.get(this.#paths.admin(id))
      collectors.set(id, {
        ...{ list: value, listVersion: version, listBytes: bytes },
        status: statuses.get(this.#paths.status(id))?.value,
        admin: admin?.value,
        adminVersion: admin?.version ?? -1,
      })
    }
    return collectors
  }
}

interface Nodes {
  readonly manifests: TreeNodes<Manifest>
  readonly leaders: TreeNodes<Leader>
  readonly outcomes: TreeNodes<readonly CommandOutcome[]>
  readonly lists: TreeNodes<CollectorList>
  readonly statuses: TreeNodes<{ status: CollectorStatus; revision: string }>
  readonly admins: TreeNodes<Admin>
  readonly candidates: TreeNodes<Candidate>
}

/** What is followed, and how it is read. What holds nothing yet was made by ensurePath or by a collector that came. */
function nodesOf(paths: TreePaths, log: Log): Nodes {
  const of = <T>(options: Omit<TreeNodesOptions<T>, 'log'>): TreeNodes<T> => new TreeNodes({ ...options, log })
  return {
    manifests: of({
      isOne: (path) => path === paths.assignment,
      decode: ({ data }, path) => (data.length === 0 ? emptyManifest : decodeZnode(manifestSchema, data, path)),
    }),
    leaders: of({
      isOne: (path) => path === paths.leader,
      decode: ({ data }, path) => decodeZnode(leaderSchema, data, path),
    }),
    outcomes: of({
      isOne: (path) => path === paths.outcomes,
      decode: ({ data }, path) => (data.length === 0 ? noOutcomes : decodeZnode(outcomesSchema, data, path)),
    }),
    lists: of({
      isOne: (path) => parentOf(path) === paths.collectors,
      decode: ({ data }, path) =>
        data.length === 0 ? emptyCollectorList : decodeZnode(collectorListSchema, data, path),
    }),
    statuses: of({
      isOne: (path) => path.startsWith(paths.collectors) && path === paths.status(nameOf(parentOf(path))),
      decode: ({ data, stat }, path) => ({
        status: decodeZnode(collectorStatusSchema, data, path),
        revision: stat.mzxid,
      }),
    }),
    admins: of({
      isOne: (path) => path.startsWith(paths.collectors) && path === paths.admin(nameOf(parentOf(path))),
      decode: ({ data }, path) => decodeZnode(adminSchema, data, path),
    }),
    candidates: of({
      isOne: (path) => parentOf(path) === paths.candidates,
      decode: ({ data }, path) => decodeZnode(candidateSchema, data, path),
    }),
  }
}

function notConnected(): CatchmentError {
  const text = 'ZooKeeper is not connected: what is assigned keeps flowing, and nothing can be changed until it is'
  return new CatchmentError('not-connected', text, { blame: 'machine', retryable: true })
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
