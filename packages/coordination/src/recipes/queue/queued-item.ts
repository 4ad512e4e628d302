import { isCode, throwRefusal, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertOperations, writeOps } from '../../session/requests/records.ts'
import { Claim } from '../../claims/claim.ts'
import { randomHex } from '../../attempts/random-hex.ts'
import { NodeHold, type Hold } from '../../line/hold.ts'
import { afterLostAnswer, untilAnswered, untilGone } from '../../attempts/until-answered.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/**
 * An item that was taken with a lock: it stays in the queue, and no one else gets it, until it is completed or released or
 * its taker's session is over. `token` grows from one taking of an item to its next.
 */
export interface QueuedItem extends Hold {
  readonly id: string
  readonly data: Buffer
  /** How often it was taken with a lock, this time included: more than once means that someone gave up or died over it. */
  readonly attempts: number
  /**
   * Removes item and lock in one transaction; a second call waits for the same. Resolves when both are gone by this call: no
   * item is completed twice. A lost answer is resolved. Rejects with `refused` if the item was not held any more and is its
   * next taker's, and with the outcome `unknown` only if the session was lost before the answer came and the item is gone
   * now: by this call or by its next taker. From the call on it is not `held`.
   * `also` are operations of the same transaction: what the item asked for is done once, as the item is. Is one of them
   * refused, the call rejects with that error, its `operationIndex` counting within `also`, and the item goes back.
   */
  complete(also?: readonly Operation[]): Promise<void>
}

interface ItemLock {
  readonly session: ZooKeeperSession
  readonly generation: number
  readonly item: string
  readonly lock: string
  readonly id: string
}

/**
 * Locks the item: one transaction creates the ephemeral `lock` and writes the item's own data again at the version that was
 * read. So the version counts the takings, and whatever an earlier taker still has under way fails at its version.
 * Undefined if it is gone or someone else's. `signal` ends the look before the transaction, not the transaction.
 */
export async function lockItem(place: ItemLock, who: string, signal: AbortSignal): Promise<QueuedItem | undefined> {
  const { session, generation, item, lock } = place
  const stamp = Buffer.from(`${randomHex(session.random)} ${who}`)
  try {
    const { data, stat } = await session.get(item, { generation, signal })
    const claim = new Claim(session, { path: lock, stamp, generation })
    const token = await claim.take([{ op: 'set', path: item, data, version: stat.version }])
    return token === undefined ? undefined : new LockedItem(place, data, stat.version + 1, token)
  } catch (thrown) {
    if (isCode(thrown, 'no-node', 'bad-version')) return undefined
    throw thrown
  }
}

class LockedItem implements QueuedItem {
  readonly id: string
  readonly data: Buffer
  readonly attempts: number
  readonly #place: ItemLock
  readonly #hold: NodeHold
  #completing: Promise<void> | undefined

  constructor(place: ItemLock, data: Buffer, attempts: number, token: bigint) {
    const { session, generation, item, lock, id } = place
    this.#place = place
    this.id = id
    this.data = data
    this.attempts = attempts
    // At the version of this taking, so that it never removes the lock of the next taker, however late it arrives.
    const operations: readonly Operation[] = [
      { op: 'check', path: item, version: attempts },
      { op: 'delete', path: lock, version: 'any' },
    ]
    const giveBack = (): Promise<void> =>
      untilGone(session, lock, (call) => session.multi(operations, call), generation)
    const leave = (): Promise<void> => this.#completing?.catch(giveBack) ?? giveBack()
    this.#hold = new NodeHold(session, { node: lock, generation, token, leave })
  }

  get token(): bigint {
    return this.#hold.token
  }

  get held(): boolean {
    return this.#hold.held
  }

  get signal(): AbortSignal {
    return this.#hold.signal
  }

  release(options?: CallOptions): Promise<void> {
    return this.#hold.release(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  async complete(also: readonly Operation[] = []): Promise<void> {
    assertOperations(`complete ${this.#place.item}`, also, writeOps)
    if (this.#completing === undefined) {
      if (this.signal.aborted) throw this.#notDone()
      this.#completing = this.#complete(also)
      void this.#hold.release()
    }
    await this.#completing
  }

  async #complete(also: readonly Operation[]): Promise<void> {
    const { session, generation, item, lock } = this.#place
    const own: readonly Operation[] = [
      { op: 'delete', path: lock, version: 'any' },
      { op: 'delete', path: item, version: this.attempts },
    ]
    try {
      await untilAnswered(session, (call) => session.multi([...own, ...also], call), { generation })
    } catch (thrown) {
      throwRefusal(thrown, own.length, '`also`')
      if (!isCode(thrown, 'no-node', 'bad-version', 'session-lost')) throw thrown
      if (thrown.outcome !== 'unknown') throw this.#notDone(thrown)
      await this.#settle(thrown)
    }
  }

  /** The answer was lost and does not come any more. Resolves if it was done all the same. */
  async #settle(lost: ZooKeeperError): Promise<void> {
    const { session, item } = this.#place
    const stat = await afterLostAnswer(async () => {
      await untilAnswered(session, (call) => session.sync(item, call))
      return untilAnswered(session, (call) => session.exists(item, call))
    })
    if (stat !== undefined) throw this.#notDone(lost)
    if (lost.code === 'session-lost')
      throw new ZooKeeperError(
        lost.code,
        `complete ${item}: the session was lost before the answer came; the item is gone, by this call or by its next taker`,
        { outcome: 'unknown', cause: lost },
      )
  }

  #notDone(cause: unknown = this.signal.reason): ZooKeeperError {
    return new ZooKeeperError(
      'refused',
      `complete ${this.#place.item}: it is not held any more; leave it to its next taker`,
      { cause },
    )
  }
}
