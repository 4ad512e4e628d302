import { ZooKeeperError, type Operation, type ZooKeeperSession } from '@catchment/coordination'
import { sleep } from '@catchment/runtime'
import type { StoryWorld } from '../story.ts'

export const followedRoot = '/followed/tree'
const leaves = ['a', 'a/x', 'a/y', 'b', 'b/x', 'c', 'd']
const pauseMsMax = 400

/** A state of the tree: since when it may be seen, and until when it is the truth for certain. */
interface State {
  readonly count: number
  readonly tree: string
  readonly names: string
  supersededMs: number
}

/** Changes a tree without pause, each change one transaction, and knows what it has been when. */
export class Writer {
  readonly #world: StoryWorld
  readonly #untilMs: number
  /** The number of the last write that was done for certain. */
  last = -1
  readonly #states: State[] = [{ count: -1, tree: '', names: '', supersededMs: Infinity }]
  #running: Promise<void> | undefined
  #leaves: ReadonlyMap<string, number> = new Map()
  #count = 0
  #lastMs = 0

  constructor(world: StoryWorld, untilMs: number) {
    this.#world = world
    this.#untilMs = untilMs
  }

  start(): void {
    this.#running ??= this.#run()
  }

  get ended(): Promise<void> | undefined {
    return this.#running
  }

  get lastMs(): number {
    return this.#lastMs
  }

  treeOf(count: number): string | undefined {
    return this.#states.find((state) => state.count === count)?.tree
  }

  valueSince(count: number, sinceMs: number): boolean {
    return this.#since(sinceMs, (state) => state.count === count)
  }

  namesSince(names: string | undefined, sinceMs: number): boolean {
    return this.#since(sinceMs, (state) => state.names === names)
  }

  treeSince(tree: string, sinceMs: number): boolean {
    return this.#since(sinceMs, (state) => state.tree === tree)
  }

  #since(sinceMs: number, fits: (state: State) => boolean): boolean {
    for (let at = this.#states.length - 1; at >= 0; at -= 1) {
      const state = this.#states[at]
      if (state === undefined || state.supersededMs < sinceMs) return false
      if (fits(state)) return true
    }
    return false
  }

  async #run(): Promise<void> {
    const session = await this.#world.outside()
    while (this.#world.nowMs() < this.#untilMs) {
      await sleep(session.clock, this.#world.random.float() * pauseMsMax)
      const { next, operations } = this.#draw()
      const state = stateOf(this.#count, next)
      this.#states.push(state)
      await done(session, operations, this.#count)
      this.#became(state, next)
    }
  }

  #became(state: State, leaves: ReadonlyMap<string, number>): void {
    this.#leaves = leaves
    this.#lastMs = this.#world.nowMs()
    this.last = state.count
    for (const older of this.#states)
      if (older !== state && older.supersededMs === Infinity) older.supersededMs = this.#lastMs
  }

  /** The next write: what it does, and what there is below the root when it is done. */
  #draw(): { next: ReadonlyMap<string, number>; operations: Operation[] } {
    const next = new Map(this.#leaves)
    const first = this.#count === 0 || this.last < 0
    this.#count += 1
    const data = Buffer.from(String(this.#count))
    const operations: Operation[] = first
      ? [{ op: 'create', path: followedRoot, data }]
      : [{ op: 'set', path: followedRoot, data, version: 'any' }]
    for (const leaf of leaves) {
      if (this.#world.random.float() > 0.3) continue
      const path = `${followedRoot}/${leaf}`
      const parent = leaf.slice(0, Math.max(leaf.lastIndexOf('/'), 0))
      const bare = ![...next.keys()].some((other) => other.startsWith(`${leaf}/`))
      if (!next.has(leaf)) {
        if (parent !== '' && !next.has(parent)) continue
        operations.push({ op: 'create', path, data })
        next.set(leaf, this.#count)
      } else if (bare && this.#world.random.float() < 0.5) {
        operations.push({ op: 'delete', path, version: 'any' })
        next.delete(leaf)
      } else {
        operations.push({ op: 'set', path, data, version: 'any' })
        next.set(leaf, this.#count)
      }
    }
    return { next, operations }
  }
}

function stateOf(count: number, leaves: ReadonlyMap<string, number>): State {
  const paths = [...leaves].map(([leaf, written]) => `${followedRoot}/${leaf}=${written}`)
  const names = [...leaves.keys()].filter((leaf) => !leaf.includes('/'))
  return {
    count,
    tree: [`${followedRoot}=${count}`, ...paths].sort().join(' '),
    names: names.sort().join(),
    supersededMs: Infinity,
  }
}

/** Does the transaction, once: where its answer is lost, the root reports whether it was done. */
async function done(session: ZooKeeperSession, operations: readonly Operation[], count: number): Promise<void> {
  for (;;) {
    try {
      if (count === 1) await session.ensurePath(followedRoot.slice(0, followedRoot.lastIndexOf('/')))
      await session.multi(operations)
      return
    } catch (thrown) {
      if (!(thrown instanceof ZooKeeperError)) throw thrown
    }
    try {
      await session.sync(followedRoot)
      if ((await session.get(followedRoot)).data.toString() === String(count)) return
    } catch (thrown) {
      if (!(thrown instanceof ZooKeeperError)) throw thrown
      if (thrown.code !== 'no-node') await sleep(session.clock, 50)
    }
  }
}
