// Claims on items in ZooKeeper: an ephemeral for each item, whose data is the stamp of who claims it.

import { ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { WatchListener, ZooKeeperSession } from '../../session/contract/session.ts'
import type { Turn } from '../../following/following.ts'
import { Claim, type ClaimSight } from '../../claims/claim.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'

const operationsPerTransaction = 256
/** Fewer are looked at one by one rather than listed. */
const listedFrom = 16

export class ItemClaims {
  readonly #session: ZooKeeperSession
  readonly #path: string
  readonly #stamp: Buffer

  /** `stamp`: unlike that of any other who claims here. */
  constructor(session: ZooKeeperSession, path: string, stamp: string) {
    this.#session = session
    this.#path = path
    this.#stamp = Buffer.from(stamp)
  }

  /** Those of `items` that seem unclaimed; all, if they are few. */
  async free(items: readonly string[], { signal, generation }: Turn): Promise<string[]> {
    if (items.length < listedFrom) return [...items]
    const { names } = await this.#session.children(this.#path, { signal, generation })
    const claimed = new Set(names)
    return items.filter((item) => !claimed.has(nodeName(item)))
  }

  /** Claims in batches, each of them all or nothing. What came of it look() shows. */
  async create(items: readonly string[], { signal, generation }: Turn): Promise<void> {
    for (const batch of batchesOf(items)) {
      const creates = batch.map((item) => this.#claim(item, generation).creation)
      const created = untilAnswered(this.#session, (call) => this.#session.multi(creates, call), { signal, generation })
      await ignoring(created, 'node-exists')
    }
  }

  /** Leaves the watch if there is a claim. */
  look(item: string, watch: WatchListener, { signal, generation }: Turn): Promise<ClaimSight> {
    return this.#claim(item, generation).look({ watch, signal })
  }

  /**
   * Deletes claims that were seen to be ours, each batch once. It is not repeated: by then a claim may be another's. Throws
   * with outcome `unknown` if it may have happened; then sync() and look().
   */
  async delete(
    items: readonly string[],
    { signal, generation }: Turn,
    onDeleted: (item: string) => void,
  ): Promise<void> {
    for (const batch of batchesOf(items)) {
      const deletes = batch.map((item): Operation => ({ op: 'delete', path: this.#node(item), version: 0 }))
      await this.#session.multi(deletes, { signal, generation })
      batch.forEach(onDeleted)
    }
  }

  async sync({ signal, generation }: Turn): Promise<void> {
    await this.#session.sync(this.#path, { signal, generation })
  }

  async unwatch(item: string, watch: WatchListener, generation: number): Promise<void> {
    try {
      await this.#session.unwatch(this.#node(item), watch, { generation })
    } catch (thrown) {
      if (!(thrown instanceof ZooKeeperError)) throw thrown
    }
  }

  #claim(item: string, generation: number): Claim {
    return new Claim(this.#session, { path: this.#node(item), stamp: this.#stamp, generation })
  }

  #node(item: string): string {
    return `${this.#path}/${nodeName(item)}`
  }
}

/** Any text as the name of a node. */
export function nodeName(text: string): string {
  const encoded = encodeURIComponent(text)
  return encoded === '' ? '%' : encoded === '.' || encoded === '..' ? encoded.replaceAll('.', '%2E') : encoded
}

function batchesOf(items: readonly string[]): string[][] {
  const batches: string[][] = []
  for (let from = 0; from < items.length; from += operationsPerTransaction)
    batches.push(items.slice(from, from + operationsPerTransaction))
  return batches
}
