import { getOrUndefined } from '../attempts/get-or-undefined.ts'
import { untilAnswered, untilGone } from '../attempts/until-answered.ts'
import { tokenOf } from '../line/hold.ts'
import { isCode, ZooKeeperError } from '../session/contract/errors.ts'
import type { Operation, Stat } from '../session/contract/nodes.ts'
import type { CallOptions, ReadOptions, ZooKeeperSession } from '../session/contract/session.ts'

/** What a look at a claim has found. */
export type ClaimSight = { readonly claim: 'absent' } | { readonly claim: 'ours' | 'theirs'; readonly stat: Stat }

export interface ClaimOptions {
  /** The ephemeral node that is the claim: the same for all who claim. */
  readonly path: string
  /** What distinguishes ours from others of the same session: the node's data. Without it all of the session are one. */
  readonly stamp?: Uint8Array
  /** The session that it belongs to, `session.generation`: all writes of the claim end with it. */
  readonly generation: number
}

/**
 * A claim: an ephemeral node of a fixed name, of which only one can be created at a time.
 *
 * A create whose answer was lost may have been done. So from then on the node itself says whose it is: of our session, with
 * our stamp. Its name is used again by others, so it is deleted only where it was seen to be ours since the last attempt.
 */
export class Claim {
  readonly #session: ZooKeeperSession
  readonly #options: ClaimOptions

  constructor(session: ZooKeeperSession, options: ClaimOptions) {
    this.#session = session
    this.#options = options
  }

  get path(): string {
    return this.#options.path
  }

  /** What takes it, for a transaction. */
  get creation(): Operation {
    const { path, stamp = new Uint8Array() } = this.#options
    return { op: 'create', path, data: stamp, mode: 'ephemeral' }
  }

  isOurs({ data, stat }: { readonly data: Buffer; readonly stat: Stat }): boolean {
    const { stamp } = this.#options
    const ours = stat.ephemeralOwner !== undefined && stat.ephemeralOwner === this.#session.sessionId
    return ours && (stamp === undefined || data.equals(stamp))
  }

  /** Reads it; a `watch` is left where there is one. */
  async look(call: ReadOptions): Promise<ClaimSight> {
    const { path, generation } = this.#options
    const found = await getOrUndefined(this.#session, path, { ...call, generation })
    return found === undefined
      ? { claim: 'absent' }
      : { claim: this.isOurs(found) ? 'ours' : 'theirs', stat: found.stat }
  }

  /**
   * Takes it in one transaction with `also`. Resolves with its fencing token, undefined if it is another's. Rejects with what
   * refuses `also`, and when the session is lost.
   */
  async take(also: readonly Operation[]): Promise<bigint | undefined> {
    let inDoubt = false
    try {
      return await this.#sure(async (call) => {
        if (inDoubt) {
          await this.#session.sync(this.path, call) // after whatever is still under way
          const sight = await this.look(call)
          if (sight.claim !== 'absent') return sight.claim === 'ours' ? tokenOf(sight.stat) : undefined
        }
        inDoubt = true
        const results = await this.#session.multi([this.creation, ...also], call)
        const written = results.find((result) => typeof result === 'object')
        return written === undefined ? await this.token() : BigInt(`0x${written.mzxid}`)
      })
    } catch (thrown) {
      if (isCode(thrown, 'node-exists')) return undefined
      if (thrown instanceof ZooKeeperError && thrown.outcome === 'unknown') void this.release() // it may have been done
      throw thrown
    }
  }

  /** Its fencing token while it is ours. */
  async token(): Promise<bigint | undefined> {
    const sight = await this.#sure((call) => this.look(call))
    return sight.claim === 'ours' ? tokenOf(sight.stat) : undefined
  }

  /** Resolves when no claim of ours is there, or the session is over; never rejects. */
  release(): Promise<void> {
    const { path, generation } = this.#options
    const remove = async (call: CallOptions): Promise<void> => {
      await this.#session.sync(path, call) // after whatever is still under way
      const sight = await this.look(call)
      if (sight.claim === 'ours') await this.#session.delete(path, sight.stat.version, call)
    }
    return untilGone(this.#session, path, remove, generation)
  }

  #sure<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    return untilAnswered(this.#session, call, { generation: this.#options.generation })
  }
}
