import { isCode, ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, is } from '../../session/contract/given.ts'
import { notify } from '../../session/contract/notify.ts'
import { readValue } from '../../following/follow-value.ts'
import { Following, type Turn } from '../../following/following.ts'
import { Claim } from '../../claims/claim.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export interface MembershipOptions {
  /** The node of the member; made if it is missing. */
  readonly path: string
  /** How it is made: persistent unless given. A container vanishes some time after its last member (ZooKeeper 3.6). */
  readonly pathMode?: 'persistent' | 'container'
  /** The ephemeral below it, `status`. */
  readonly name: string
  readonly data: Uint8Array
  /** Whether an ephemeral of someone else may be replaced: an older incarnation of this member. Never unless given. */
  readonly replaces?: (existing: Uint8Array) => boolean
  /** Another incarnation took the place after the join; the membership has ended. */
  readonly onRefused?: (error: ZooKeeperError) => void
}

const optionRules = is.options<MembershipOptions>({
  path: is.pathBelowRoot,
  pathMode: is.optional(is.oneOf('persistent', 'container')),
  name: is.name,
  data: is.bytes,
  replaces: is.optional(is.callback),
  onRefused: is.optional(is.callback),
})

export interface Membership {
  /** Whether the ephemeral is there and of the current session, as far as is known. */
  readonly held: boolean
  /** Writes new data. Resolves when it is in the tree; rejects `refused` when another incarnation has taken the place. */
  update(data: Uint8Array): Promise<void>
  /** Ends, and removes the ephemeral. Resolves when it is gone or its session over; never rejects. */
  leave(): Promise<void>
}

/**
 * Keeps an ephemeral node existing for as long as the process lives.
 *
 * Protocol, taken at the start, when the node's watch fires, after every reconnect and in every new session:
 * read it. Absent: create it. Of this session: set the data if it differs. Of another membership, and `replaces(existing)`:
 * one transaction deletes it at the version that was read and creates it again, so that it is never absent between, and of
 * two who try one wins; otherwise refused. Nothing is left of an earlier session of this same membership: ZooKeeperSession
 * makes a new one only when the servers have ended the last.
 *
 * Resolves once held. Rejects with `refused`, carrying the existing data, if another holds the place at the first try; later
 * that is reported to `onRefused`, and the membership ends. Rejects with `bad-arguments`, also while this session keeps the node
 * by another membership. Suspended: the node stands until the server drops the session.
 * Lost: it is made again with the latest data.
 */
export async function joinMembership(session: ZooKeeperSession, options: MembershipOptions): Promise<Membership> {
  assertGiven('join membership', { session, options }, { options: optionRules })
  const keeper = new MembershipKeeper(session, options)
  await keeper.joined()
  return keeper
}

/** By the node: two of one session would each take it for its own, and write over what the other wrote. */
const keepers = new WeakMap<ZooKeeperSession, Map<string, MembershipKeeper>>()

class MembershipKeeper implements Membership {
  readonly #session: ZooKeeperSession
  readonly #options: MembershipOptions
  readonly #node: string
  readonly #following: Following<void>
  #data: Uint8Array
  #heldIn: string | undefined
  #joined = false
  #left = false
  #refused: ZooKeeperError | undefined

  constructor(session: ZooKeeperSession, options: MembershipOptions) {
    this.#session = session
    this.#options = options
    this.#node = `${options.path}/${options.name}`
    this.#data = Uint8Array.from(options.data)
    this.#register()
    this.#following = new Following<void>(session, {
      name: `membership ${this.#node}`,
      path: this.#node,
      turn: (turn) => this.#reconcile(turn),
    })
  }

  get held(): boolean {
    if (this.#left || this.#refused !== undefined) return false
    return this.#heldIn !== undefined && this.#heldIn === this.#session.sessionId
  }

  async joined(): Promise<void> {
    await this.#settled()
    this.#joined = true
  }

  async update(data: Uint8Array): Promise<void> {
    assertGiven('update membership', { data }, { data: is.bytes })
    this.#data = Uint8Array.from(data)
    if (this.#refused === undefined) await this.#settled()
    if (this.#refused !== undefined) throw this.#refused
  }

  async leave(): Promise<void> {
    this.#left = true
    await this.#following.close()
    await this.#claim(this.#session.generation).release()
    this.#unregister()
  }

  /** By the session alone: the data changes, and a session keeps the node by one membership. */
  #claim(generation: number): Claim {
    return new Claim(this.#session, { path: this.#node, generation })
  }

  #register(): void {
    const all = keepers.get(this.#session) ?? new Map<string, MembershipKeeper>()
    if (all.has(this.#node))
      throw new ZooKeeperError(
        'bad-arguments',
        `join membership: this session keeps ${this.#node} already; leave that first, or join under another name`,
      )
    keepers.set(this.#session, all.set(this.#node, this))
  }

  #unregister(): void {
    const all = keepers.get(this.#session)
    if (all?.get(this.#node) === this) all.delete(this.#node)
  }

  /** Waits for a turn that succeeds or is refused; what passes (a lost connection) is tried again by the following. */
  async #settled(): Promise<void> {
    for (;;) {
      try {
        await this.#following.refresh(false)
        return
      } catch (thrown) {
        if (this.#refused !== undefined) throw this.#refused
        const passes = thrown instanceof ZooKeeperError && thrown.retryable
        if (passes || isCode(thrown, 'bad-version', 'no-node', 'node-exists')) continue
        if (!this.#joined) {
          this.#unregister()
          void this.leave()
        }
        throw thrown
      }
    }
  }

  async #reconcile(turn: Turn): Promise<void> {
    const { data, stat } = await readValue(this.#session, this.#node, turn)
    const own = this.#session.sessionId
    if (own === undefined) throw new ZooKeeperError('session-lost', `keep ${this.#node}: the session is lost`)
    const { signal, generation } = turn
    if (stat === undefined || data === undefined) {
      await this.#makePath({ signal, generation })
      await this.#session.create(this.#node, this.#data, 'ephemeral', { signal, generation })
    } else if (this.#claim(generation).isOurs({ data, stat })) {
      if (!data.equals(this.#data))
        await this.#session.set(this.#node, this.#data, stat.version, { signal, generation })
    } else {
      if (this.#options.replaces?.(data) !== true) this.#refuse(data)
      const replacement: Parameters<ZooKeeperSession['multi']>[0] = [
        { op: 'delete', path: this.#node, version: stat.version },
        { op: 'create', path: this.#node, data: this.#data, mode: 'ephemeral' },
      ]
      await this.#session.multi(replacement, { signal, generation })
    }
    this.#heldIn = own
  }

  async #makePath(call: CallOptions): Promise<void> {
    const { path, pathMode = 'persistent' } = this.#options
    if (pathMode === 'persistent' || (await this.#session.exists(path, call)) !== undefined) {
      await this.#session.ensurePath(path, call)
      return
    }
    await this.#session.ensurePath(path.slice(0, path.lastIndexOf('/')) || '/', call)
    await ignoring(this.#session.create(path, new Uint8Array(), pathMode, call), 'node-exists')
  }

  #refuse(existing: Uint8Array): never {
    const error = new ZooKeeperError(
      'refused',
      `keep ${this.#node}: another incarnation lives there and is not to be replaced; stop it, or use another id`,
      { existing },
    )
    this.#refused = error
    this.#unregister()
    this.#following.end()
    if (this.#joined) notify(this.#session.log, `onRefused of ${this.#node}`, () => this.#options.onRefused?.(error))
    throw error
  }
}
