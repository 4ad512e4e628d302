import { randomHex } from '../attempts/random-hex.ts'
import { fullJitter, retry } from '@catchment/runtime'
import { isCode, ignoring, ZooKeeperError } from '../session/contract/errors.ts'
import { tokenOf } from './hold.ts'
import type { CallOptions, ReadOptions, ZooKeeperSession } from '../session/contract/session.ts'

const leaveBackoff = { baseMs: 50, maxMs: 5_000 }

/** `<who: 16 random hex digits>-<kind>-<sequence>`. The server writes a sequence that has passed 2³¹ as a negative number. */
const placeName = /^([0-9a-f]{16})-([a-z]+)-(-?[0-9]+)$/

/** The children of a line that are places in it, first to last; names of another form are none. Pure. */
export function inOrder(names: readonly string[]): string[] {
  const places: { readonly name: string; readonly sequence: number }[] = []
  for (const name of names) {
    const sequence = placeName.exec(name)?.[3]
    if (sequence !== undefined) places.push({ name, sequence: Number(sequence) })
  }
  // Modulo 2³², as the server counts: those in line at one time are never half a turn apart.
  return places.sort((one, other) => (one.sequence - other.sequence) | 0).map(({ name }) => name)
}

/** What someone stands for, as given to the Place: `read`, `lock`. Of a name or the path of a node. Pure. */
export function kindOf(node: string): string | undefined {
  return placeName.exec(node.slice(node.lastIndexOf('/') + 1))?.[2]
}

/** Those who stand in the line now, in order; no one if the line is absent. `watch` hears of everyone who comes or goes. */
export async function readLine(session: ZooKeeperSession, path: string, options: ReadOptions = {}): Promise<string[]> {
  return inOrder((await ignoring(session.children(path, options), 'no-node'))?.names ?? [])
}

export interface PlaceOptions {
  /** The line: a persistent node, made if it is missing. */
  readonly path: string
  /** Lower-case letters; part of the name, for those who decide by it and for people. */
  readonly kind: string
  readonly data: Uint8Array
  /** The session that it belongs to, `session.generation`: a place never outlives it. */
  readonly generation: number
}

/** The node of a place. */
export interface Own {
  readonly name: string
  /** Fencing token: grows from each that enters the line to the next. */
  readonly token: bigint
}

/**
 * One place in a line of ephemeral sequential nodes, from entering to leaving. Source: ZooKeeper recipes, "Locks" and
 * "Leader Election"; the random prefix is Curator's "protection".
 *
 * A create whose answer was lost may have been done. So each place has a random prefix, and from the first doubt on it asks
 * the tree before it acts: sync, which comes after whatever is under way, then list, then look for the prefix. Thus it
 * neither stands in line twice nor leaves a node, which would block everyone until its session ends.
 */
export class Place {
  readonly generation: number
  readonly #session: ZooKeeperSession
  readonly #options: PlaceOptions
  readonly #prefix: string
  #own: Own | undefined
  /** A create ended without an answer: what there is of ours is known by the prefix alone, from now on. */
  #inDoubt = false
  #leaving: Promise<void> | undefined

  constructor(session: ZooKeeperSession, options: PlaceOptions) {
    this.#session = session
    this.#options = options
    this.generation = options.generation
    this.#prefix = `${randomHex(session.random)}-${options.kind}-`
  }

  /** Resolves with the node: as known, as found, or created. Rejects as calls do; then it may be tried again. */
  async enter({ signal }: CallOptions = {}): Promise<Own> {
    const call = { generation: this.generation, ...(signal === undefined ? {} : { signal }) }
    if (this.#own === undefined && this.#inDoubt) this.#own = await this.#find(call)
    this.#own ??= await this.#create(call)
    return this.#own
  }

  /**
   * Leaves the line; not to be called while entering. Resolves when no node of ours is there or will be, or the session is
   * over and its nodes with it. Never rejects: it tries as long as the session lives.
   */
  leave(): Promise<void> {
    this.#leaving ??= retry(() => this.#remove(), {
      clock: this.#session.clock,
      policy: fullJitter(this.#session.random, leaveBackoff),
      onFailure: (error) => {
        if (this.#session.state === 'connected')
          this.#session.log(`leaving the line ${this.#options.path} failed, again soon`, { error })
      },
    })
    return this.#leaving
  }

  async #create(call: CallOptions): Promise<Own> {
    const { path, data } = this.#options
    for (;;) {
      try {
        const prefix = `${path}/${this.#prefix}`
        const created = await this.#session.createWithStat(prefix, data, 'ephemeral-sequential', call)
        return { name: created.path.slice(path.length + 1), token: tokenOf(created.stat) }
      } catch (thrown) {
        if (!(thrown instanceof ZooKeeperError) || thrown.outcome === 'unknown') this.#inDoubt = true
        if (!isCode(thrown, 'no-node')) throw thrown
      }
      await this.#session.ensurePath(path, call)
    }
  }

  async #find(call: CallOptions): Promise<Own | undefined> {
    for (const name of await this.#found(call)) {
      const stat = await this.#session.exists(`${this.#options.path}/${name}`, call)
      if (stat !== undefined) return { name, token: tokenOf(stat) }
    }
    return undefined
  }

  async #found(call: CallOptions): Promise<string[]> {
    await this.#session.sync(this.#options.path, call)
    const line = await readLine(this.#session, this.#options.path, call)
    return line.filter((name) => name.startsWith(this.#prefix))
  }

  async #remove(): Promise<void> {
    const call = { generation: this.generation }
    try {
      const names = this.#inDoubt ? await this.#found(call) : this.#own === undefined ? [] : [this.#own.name]
      for (const name of names)
        await ignoring(this.#session.delete(`${this.#options.path}/${name}`, 'any', call), 'no-node')
    } catch (thrown) {
      if (!isCode(thrown, 'session-lost', 'closed')) throw thrown
    }
  }
}
