import { isCode, ZooKeeperError } from '../../session/contract/errors.ts'
import { itemId } from './queue-items.ts'
import { afterLostAnswer, untilAnswered, untilGone } from '../../attempts/until-answered.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/** Receipts of puts whose answer was lost; they end with the session, beyond this many the oldest is removed. */
const keptMax = 1_000

interface NewItem {
  /** The node of the items. */
  readonly items: string
  readonly prefix: string
  readonly id: string
  readonly data: Uint8Array
}

interface Receipt {
  readonly path: string
  readonly generation: number
}

/**
 * Puts each item once: with an ephemeral receipt of its own in one transaction. However often that is sent in a session, and
 * however late it arrives, it happens once. When an answer was lost the receipt stays, because an attempt may still be under
 * way; otherwise it is removed at once.
 */
export class Receipts {
  readonly path: string
  readonly #session: ZooKeeperSession
  readonly #kept: Receipt[] = []

  constructor(session: ZooKeeperSession, path: string) {
    this.#session = session
    this.path = path
  }

  async put(item: NewItem, call: CallOptions): Promise<void> {
    const session = this.#session
    const { generation } = session
    const receipt = { path: `${this.path}/${item.id}`, generation }
    const operations: readonly Operation[] = [
      { op: 'create', path: receipt.path, data: new Uint8Array(), mode: 'ephemeral' },
      { op: 'create', path: `${item.items}/${item.prefix}`, data: item.data, mode: 'persistent-sequential' },
    ]
    let attempts = 0
    const attempt = (each: CallOptions): Promise<unknown> => {
      attempts += 1
      return session.multi(operations, each)
    }
    try {
      await untilAnswered(session, attempt, { ...call, generation })
    } catch (thrown) {
      if (!(thrown instanceof ZooKeeperError) || thrown.outcome === 'not-done') throw thrown
      this.#keep(receipt)
      if (isCode(thrown, 'node-exists')) return
      if (isCode(thrown, 'session-lost') && (await afterLostAnswer(() => this.#find(item, call)))) return
      throw thrown
    }
    if (attempts === 1) this.#forget(receipt)
    else this.#keep(receipt)
  }

  /** Whether the item of a session that is over is in the queue. If not, it was never put, or it has been taken since. */
  async #find({ items, id }: NewItem, call: CallOptions): Promise<boolean> {
    await untilAnswered(this.#session, (each) => this.#session.sync(items, each), call)
    const { names } = await untilAnswered(this.#session, (each) => this.#session.children(items, each), call)
    return names.some((name) => itemId(name) === id)
  }

  #keep(receipt: Receipt): void {
    this.#kept.push(receipt)
    if (this.#kept.length <= keptMax) return
    for (const oldest of this.#kept.splice(0, 1)) this.#forget(oldest)
  }

  #forget({ path, generation }: Receipt): void {
    void untilGone(this.#session, path, (call) => this.#session.delete(path, 'any', call), generation)
  }
}
