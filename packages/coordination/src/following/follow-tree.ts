import { asError } from '@catchment/runtime'
import { isCode, ignoring, ZooKeeperError } from '../session/contract/errors.ts'
import { assertGiven, is } from '../session/contract/given.ts'
import { notify } from '../session/contract/notify.ts'
import type { PersistentWatch, ReadResult, WatchEvent, ZooKeeperSession } from '../session/contract/session.ts'
import { Following, type Turn } from './following.ts'
import { TreeCopy, type Cause, type ReadNode, type Tree, type TreeChanges, type TreeNode } from './tree-copy.ts'

/** Nodes in one request, and requests at once. */
const nodesPerRead = 32
const readsAtOnce = 8
const nodesMaxDefault = 100_000
const bytesMaxDefault = 64 << 20
const rereadMsDefault = 60_000
const settleMsDefault = 1_000

export interface TreeUpdate {
  /** Stays the same map, and changes only just before onTree is called. A node that has not changed is the same object. */
  readonly tree: Tree
  /** What is new or changed or gone since the last call. */
  readonly changes: TreeChanges
  /**
   * The tree as it was at one moment, of which everything is true together. False only while the tree changes faster than it
   * can be read, after `settleMs` of that: then each node is true by itself.
   */
  readonly whole: boolean
}

export interface FollowTreeOptions {
  /** Called first when everything has been read, then on change. An absent root is an empty tree. */
  readonly onTree: (update: TreeUpdate) => void
  readonly onStale?: (stale: boolean) => void
  /**
   * Asked of every path below the followed node: false leaves it out, with all that is below it. It is not read and does not
   * count for the limits; but the watch reports it, and each event is looked at. All are in unless given.
   */
  readonly includes?: (path: string) => boolean
  /** Reads all of it again this often even if no watch fires; 60 s unless given. */
  readonly rereadMs?: number
  /** 1 s unless given. */
  readonly settleMs?: number
  /** 100,000 unless given, counting the root. */
  readonly nodesMax?: number
  /** Of data, without paths and stats; 64 MiB unless given. */
  readonly bytesMax?: number
}

const optionRules = is.options<FollowTreeOptions>({
  onTree: is.callback,
  onStale: is.optional(is.callback),
  includes: is.optional(is.callback),
  rereadMs: is.optional(is.milliseconds),
  settleMs: is.optional(is.numberFrom(0)),
  nodesMax: is.optional(is.numberFrom(0)),
  bytesMax: is.optional(is.numberFrom(0)),
})

export interface FollowedTree {
  /** What was delivered last; empty before. */
  readonly tree: Tree
  /** True until the first reading, from `suspended` until all has been read again, and while a limit is passed. */
  readonly stale: boolean
  /** While a limit is passed: which, with the code `too-large`. */
  readonly tooLarge: ZooKeeperError | undefined
  /**
   * Sync, then read: resolves with nothing older than this call, delivered before. Rejects with `too-large` at a limit.
   * Without `sync`: nothing older than what this session has written or seen.
   */
  refresh(options?: { readonly sync?: boolean }): Promise<Tree>
  /** Ends it; when this resolves no callback runs any more. The watch is taken back in the background. */
  close(): Promise<void>
}

/**
 * Follows a node and everything below it: a local copy of data and stats.
 *
 * Protocol: one persistent recursive watch on `path`, whatever the number of nodes (ZooKeeper 3.6 and later); its events name
 * nodes, and what they name is read again, with its children. Everything is read at the start, in every new session after a
 * sync, after every reconnect (a persistent watch says nothing of what happened meanwhile), and every `rereadMs`. A server
 * that does not know addWatch gets a watch of each node's data and one of its children, left with each read: three requests
 * a change in place of one, and two watches a node.
 *
 * Guarantees: a change is delivered at least as its latest state, never an older state of a node after a newer one. When
 * everything that is known to have changed has been read, and only then, it is delivered: because an event arrives before
 * the answer to any later read, that is the tree as it was when the last read was answered (`whole`).
 * Suspended or lost: `onStale(true)`, and the last tree stands. At a limit: the same, with `too-large` in the log and from
 * refresh(); it is tried again with backoff, and goes on when the tree has become smaller.
 *
 * Throws `bad-arguments`.
 */
export function followTree(session: ZooKeeperSession, path: string, options: FollowTreeOptions): FollowedTree {
  assertGiven('follow tree', { session, path, options }, { path: is.path, options: optionRules })
  return new TreeFollower(session, path, options)
}

class TreeFollower implements FollowedTree {
  readonly #session: ZooKeeperSession
  readonly #path: string
  readonly #options: FollowTreeOptions
  readonly #copy: TreeCopy
  readonly #shown = new Map<string, TreeNode>()
  readonly #following: Following<boolean>
  readonly #unsubscribe: () => void
  readonly #onEvent = ({ type, path }: WatchEvent): void => {
    // These two come with a change of the session's state, and there everything is marked.
    if (type === 'missed' || type === 'session-lost') return
    this.#copy.mark(path, 'event')
    this.#following.wake()
  }
  #watch: { readonly generation: number; readonly persistent: PersistentWatch | undefined } | undefined
  #verifiedMs: number
  #delivered = false
  #tooLarge: ZooKeeperError | undefined
  #stale = true

  constructor(session: ZooKeeperSession, path: string, options: FollowTreeOptions) {
    const { nodesMax = nodesMaxDefault, bytesMax = bytesMaxDefault, rereadMs = rereadMsDefault } = options
    const includes = (below: string): boolean => options.includes === undefined || options.includes(below)
    this.#session = session
    this.#path = path
    this.#options = options
    this.#copy = new TreeCopy(path, { nodesMax, bytesMax, includes })
    this.#copy.markAll()
    this.#verifiedMs = session.clock.monotonicMs()
    // Before the Following hears of it and takes a turn.
    this.#unsubscribe = session.onState((state) => {
      if (state === 'connected') this.#copy.markAll()
    })
    this.#following = new Following<boolean>(session, {
      name: `tree ${path}`,
      path,
      rereadMs,
      turn: (turn) => this.#read(turn),
      deliver: (whole) => {
        this.#deliver(whole)
      },
      onStale: () => {
        this.#notifyStale()
      },
    })
  }

  get tree(): Tree {
    return this.#shown
  }

  get stale(): boolean {
    return this.#tooLarge !== undefined || this.#following.stale
  }

  get tooLarge(): ZooKeeperError | undefined {
    return this.#tooLarge
  }

  async refresh({ sync = true } = {}): Promise<Tree> {
    await this.#following.refresh(sync)
    return this.#shown
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#following.close()
    this.#takeBackWatches()
  }

  /** Until nothing is to be read, or nothing but what keeps changing. Whether that is the whole. */
  async #read(turn: Turn): Promise<boolean> {
    const { clock } = this.#session
    const { rereadMs = rereadMsDefault, settleMs = settleMsDefault } = this.#options
    const startedMs = clock.monotonicMs()
    if (startedMs - this.#verifiedMs >= rereadMs) this.#copy.markAll()
    await this.#watchTree(turn)
    if (this.#copy.due('verify')) this.#verifiedMs = startedMs
    while (this.#copy.due()) {
      if (clock.monotonicMs() - startedMs >= settleMs && !this.#copy.due('verify')) {
        this.#following.wake()
        return false
      }
      await this.#readDue(turn)
    }
    this.#tooLarge = undefined
    return true
  }

  async #watchTree({ signal, generation }: Turn): Promise<void> {
    if (this.#watch?.generation === generation) return
    const adding = this.#session.addWatch(this.#path, this.#onEvent, { signal, generation, recursive: true })
    this.#watch = { generation, persistent: await ignoring(adding, 'unimplemented') }
  }

  async #readDue(turn: Turn): Promise<void> {
    const due = this.#copy.takeDue()
    const batches = batchesOf([...due])
    const lane = async (): Promise<void> => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
        await this.#readBatch(batch, turn)
        for (const [path] of batch) due.delete(path)
      }
    }
    const lanes = await Promise.allSettled(Array.from({ length: readsAtOnce }, lane))
    const failures = lanes.flatMap((ended) => (ended.status === 'rejected' ? [asError(ended.reason)] : []))
    if (failures[0] === undefined) return
    for (const [path, cause] of due) this.#copy.mark(path, cause)
    const tooLarge = failures.find((error) => isCode(error, 'too-large'))
    // Other failures do not show that there is room again.
    if (tooLarge !== undefined) this.#tooLarge = tooLarge
    this.#notifyStale()
    throw tooLarge ?? failures[0]
  }

  async #readBatch(batch: readonly Due[], { signal, generation }: Turn): Promise<void> {
    const reads = await this.#readNodes(
      batch.map(([path]) => path),
      { signal, generation },
    )
    const found = batch.map(([path, cause], at) => ({ path, cause, read: reads[at] }))
    // What is gone makes room for what has come.
    for (const { path, cause, read } of found) if (read === undefined) this.#copy.found(path, read, cause)
    for (const { path, cause, read } of found) if (read !== undefined) this.#copy.found(path, read, cause)
  }

  async #readNodes(
    paths: readonly string[],
    call: { signal: AbortSignal; generation: number },
  ): Promise<(ReadNode | undefined)[]> {
    if (this.#watch?.persistent === undefined) return Promise.all(paths.map((path) => this.#readWatching(path, call)))
    const results = await this.#session.multiRead(
      paths.flatMap((path) => [{ op: 'get', path } as const, { op: 'children', path } as const]),
      call,
    )
    return paths.map((_, at) => joined(results[2 * at], results[2 * at + 1]))
  }

  /** Where no persistent watch is to be had. An absent root is watched for its creation, other nodes by their parents. */
  async #readWatching(path: string, call: { signal: AbortSignal; generation: number }): Promise<ReadNode | undefined> {
    const reading = { ...call, watch: this.#onEvent }
    try {
      const { names } = await this.#session.children(path, reading)
      const { data, stat } = await this.#session.get(path, reading)
      return { data, stat, names }
    } catch (thrown) {
      if (!isCode(thrown, 'no-node')) throw thrown
    }
    if (path !== this.#path || (await this.#session.exists(path, reading)) === undefined) return undefined
    return this.#readWatching(path, call)
  }

  #deliver(whole: boolean): void {
    const changes = this.#copy.takeChanges()
    for (const [path, node] of changes) {
      if (node === undefined) this.#shown.delete(path)
      else this.#shown.set(path, node)
    }
    const news = !this.#delivered || changes.size > 0
    this.#delivered = true
    if (news) {
      const onTree = this.#options.onTree.bind(this.#options)
      notify(this.#session.log, `onTree of ${this.#path}`, onTree, { tree: this.#shown, changes, whole })
    }
    this.#notifyStale() // below the limit again, perhaps: the Following does not know that it was above
  }

  #notifyStale(): void {
    if (this.stale === this.#stale) return
    this.#stale = this.stale
    notify(this.#session.log, `onStale of ${this.#path}`, () => this.#options.onStale?.(this.#stale))
  }

  /** Leaves no watch on the server; no one waits for that. */
  #takeBackWatches(): void {
    const left = (thrown: unknown): void => {
      this.#session.log(`the watches of the tree ${this.#path} may be left on the server`, { error: asError(thrown) })
    }
    this.#watch?.persistent?.remove().catch(left)
    this.#session.unwatchAll(this.#onEvent).catch(left)
  }
}

type Due = readonly [path: string, cause: Cause]

function batchesOf(due: readonly Due[]): Due[][] {
  const batches: Due[][] = []
  for (let from = 0; from < due.length; from += nodesPerRead) batches.push(due.slice(from, from + nodesPerRead))
  return batches
}

/** What the two reads of a node found; undefined: no node. Throws what else they met. */
function joined(got: ReadResult | undefined, listed: ReadResult | undefined): ReadNode | undefined {
  if (got !== undefined && 'data' in got && listed !== undefined && 'names' in listed)
    return { data: got.data, stat: got.stat, names: listed.names }
  const failure = [got, listed].find((result) => result instanceof ZooKeeperError && result.code !== 'no-node')
  if (failure === undefined) return undefined
  throw asError(failure)
}
