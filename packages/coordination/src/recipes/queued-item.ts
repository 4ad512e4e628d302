import { isCode, ZooKeeperError } from '../session/errors.ts'
import { removeOwn, untilAnswered } from './until-answered.ts'
import type { WatchEvent, ZooKeeperSession } from '../session/session.ts'

/** An item that was taken with a lock: it stays in the queue, and nobody else gets it, until one of the two calls. */
export interface QueuedItem {
  readonly id: string
  readonly data: Buffer
  /** How often it was taken with a lock, this time included: more than once means that someone gave up or died over it. */
  readonly attempts: number
  /** Whether the session is connected and the lock is there. Look before each act on the outside. */
  readonly held: boolean
  /** Fencing token: grows from one taking of an item to its next. */
  readonly token: bigint
  /** Aborts once, when the lock is lost for good: session lost, node deleted by others, completed, released. */
  readonly signal: AbortSignal
  /**
   * Removes item and lock in one transaction. Resolves when both are gone by this call; no item is completed twice. A lost
   * answer is resolved: it rejects with outcome `not-done` if the item went back to the queue, and with `unknown` only if the
   * session was lost before the answer came and the item is gone now: by this call or by its next taker.
   */
  complete(): Promise<void>
  /** Gives it back, to its old place. Idempotent; resolves when the lock is gone or its session over. */
  release(): Promise<void>
}

interface Claim {
  readonly session: ZooKeeperSession
  readonly generation: number
  readonly item: string
  readonly lock: string
  readonly id: string
}

/**
 * Locks the item: one transaction creates the ephemeral `lock` and writes the item's own data again at the version that was
 * read. So the version counts the takings, and whatever an earlier taker still has under way fails at its version.
 * Undefined if it is gone or somebody else's. `signal` ends the look before the transaction, not the transaction.
 */
export async function lockItem(claim: Claim, who: string, signal: AbortSignal): Promise<QueuedItem | undefined> {
  const { session, generation, item, lock } = claim
  const mine = Buffer.from(`${Buffer.from(session.random.bytes(8)).toString('hex')} ${who}`)
  try {
    const { data, stat } = await session.get(item, { generation, signal })
    await lockOnce(claim, mine, { data, version: stat.version })
    const locked = new LockedItem(claim, data, stat.version + 1)
    const seen = await untilAnswered(session, (call) => session.get(lock, { ...call, watch: locked.watch }), {
      generation,
    })
    if (!seen.data.equals(mine)) return undefined
    locked.token = BigInt(`0x${seen.stat.czxid}`)
    return locked
  } catch (thrown) {
    if (isCode(thrown, 'no-node', 'bad-version', 'node-exists')) return undefined
    throw thrown
  }
}

/** Resolves if the lock may be ours: then its data says whose it is. */
async function lockOnce(claim: Claim, mine: Buffer, read: { data: Buffer; version: number }): Promise<void> {
  const { session, generation, item, lock } = claim
  try {
    await untilAnswered(
      session,
      (call) =>
        session.multi(
          [
            { op: 'create', path: lock, data: mine, mode: 'ephemeral' },
            { op: 'set', path: item, data: read.data, version: read.version },
          ],
          call,
        ),
      { generation },
    )
  } catch (thrown) {
    if (!isCode(thrown, 'node-exists') || thrown.outcome !== 'unknown') throw thrown
  }
}

class LockedItem implements QueuedItem {
  readonly id: string
  readonly data: Buffer
  readonly attempts: number
  token = 0n
  readonly #claim: Claim
  readonly #lost = new AbortController()

  constructor(claim: Claim, data: Buffer, attempts: number) {
    this.#claim = claim
    this.id = claim.id
    this.data = data
    this.attempts = attempts
  }

  get held(): boolean {
    const { session, generation } = this.#claim
    return !this.signal.aborted && session.state === 'connected' && session.generation === generation
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  readonly watch = ({ type }: WatchEvent): void => {
    if (type === 'deleted' || type === 'session-lost') this.#end(`its lock: ${type}`)
  }

  async complete(): Promise<void> {
    const { session, generation, item, lock } = this.#claim
    if (this.signal.aborted) throw this.#notDone()
    try {
      await untilAnswered(
        session,
        (call) =>
          session.multi(
            [
              { op: 'delete', path: lock, version: 'any' },
              { op: 'delete', path: item, version: this.attempts },
            ],
            call,
          ),
        { generation },
      )
    } catch (thrown) {
      if (!isCode(thrown, 'no-node', 'bad-version', 'session-lost')) throw thrown
      await this.#settle(thrown)
    }
    this.#end('completed')
  }

  async release(): Promise<void> {
    const { session, generation, lock } = this.#claim
    if (this.signal.aborted) return
    this.#end('released')
    await removeOwn(session, lock, generation)
  }

  /** Resolves if it was done all the same. */
  async #settle(failed: ZooKeeperError): Promise<void> {
    const { session, item } = this.#claim
    const inDoubt = failed.outcome === 'unknown'
    this.#end(failed.message)
    if (!inDoubt) throw this.#notDone(failed)
    await untilAnswered(session, (call) => session.sync(item, call))
    const stat = await untilAnswered(session, (call) => session.exists(item, call))
    if (stat !== undefined) throw this.#notDone(failed)
    if (failed.code === 'session-lost')
      throw new ZooKeeperError(
        failed.code,
        `complete ${item}: the session was lost before the answer came; the item is gone, by this call or by its next taker`,
        { outcome: 'unknown', cause: failed },
      )
  }

  #notDone(cause?: ZooKeeperError): ZooKeeperError {
    return new ZooKeeperError(
      'refused',
      `complete ${this.#claim.item}: not held any more (${String(this.signal.reason)}); the item is its next taker's`,
      { cause },
    )
  }

  #end(why: string): void {
    this.#lost.abort(new ZooKeeperError('refused', why))
  }
}
