import { assertGiven, is } from '../session/contract/given.ts'
import { isName } from '../session/contract/paths.ts'
import { notify } from '../session/contract/notify.ts'
import { followRules, type Followed, type FollowOptions } from './follow-latest.ts'
import { followChildren } from './follow-children.ts'
import { followValue, type FollowedValue } from './follow-value.ts'
import type { ZooKeeperSession } from '../session/contract/session.ts'

/** Every child of the followed node, with the data of its ephemeral: undefined while the member is gone. */
export type Members = ReadonlyMap<string, Buffer | undefined>

export interface FollowMembersOptions extends FollowOptions {
  /**
   * The ephemeral below each child; `status` unless given. Empty when the children themselves are the ephemerals
   * (joinMembership with the group's `path`, and the member's id as `name`): who is gone is then not in the map.
   */
  readonly name?: string
  /** A new map each time. Called first when every present member has been read once, then on change. */
  readonly onMembers: (members: Members) => void
}

const optionRules = is.options<FollowMembersOptions>({
  name: is.optional(
    is.that('is one part of a path, or empty', (value) => typeof value === 'string' && (value === '' || isName(value))),
  ),
  onMembers: is.callback,
  ...followRules,
})

export type FollowedMembers = Followed<Members>

interface FollowedMember {
  readonly followed: FollowedValue
  read: boolean
  data: Buffer | undefined
}

/**
 * Follows who is there: the children of `path`, and below each of them the ephemeral that its owner keeps while it lives.
 *
 * A member whose ephemeral is absent stays in the map with undefined: it is known, and gone. What changes together is
 * delivered together as far as it is read together. Suspended or lost: `onStale(true)`, and the last map stands: that a
 * watcher is cut off says nothing about those it watches.
 *
 * Throws `bad-arguments`.
 */
export function followMembers(session: ZooKeeperSession, path: string, options: FollowMembersOptions): FollowedMembers {
  assertGiven('follow members', { session, path, options }, { path: is.pathBelowRoot, options: optionRules })
  return new FollowedMemberSet(session, path, options)
}

class FollowedMemberSet implements FollowedMembers {
  readonly #session: ZooKeeperSession
  readonly #path: string
  readonly #options: FollowMembersOptions
  readonly #members = new Map<string, FollowedMember>()
  readonly #children
  readonly #leaving = new Set<Promise<void>>()
  #delivered: Members | undefined
  #listed = false
  #stale = true
  #closed = false
  #scheduled = false

  constructor(session: ZooKeeperSession, path: string, options: FollowMembersOptions) {
    this.#session = session
    this.#path = path
    this.#options = options
    this.#children = followChildren(session, path, {
      onChildren: (names) => {
        this.#follow(names)
      },
      onStale: () => {
        this.#changed()
      },
      ...rereadOf(options),
    })
  }

  get stale(): boolean {
    return !this.#listed || this.#children.stale || this.#each().some(({ followed }) => followed.stale)
  }

  async refresh(): Promise<Members> {
    await this.#children.refresh()
    await Promise.all(this.#each().map(({ followed }) => followed.refresh()))
    return this.#map()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#children.close()
    await Promise.all([...this.#leaving, ...this.#each().map(({ followed }) => followed.close())])
  }

  #follow(names: readonly string[]): void {
    const present = new Set(names)
    for (const [name, member] of this.#members) {
      if (present.has(name)) continue
      this.#members.delete(name)
      const leaving = member.followed.close().finally(() => this.#leaving.delete(leaving))
      this.#leaving.add(leaving)
    }
    for (const name of names) if (!this.#members.has(name)) this.#members.set(name, this.#member(name))
    this.#listed = true
    this.#changed()
  }

  #member(name: string): FollowedMember {
    const below = this.#options.name ?? 'status'
    const node = below === '' ? `${this.#path}/${name}` : `${this.#path}/${name}/${below}`
    const followed = followValue(this.#session, node, {
      onValue: (data) => {
        member.read = true
        member.data = data
        this.#changed()
      },
      onStale: () => {
        this.#changed()
      },
      ...rereadOf(this.#options),
    })
    const member: FollowedMember = { followed, read: false, data: undefined }
    return member
  }

  /** Once per round of the event loop's microtasks: a thousand members that were read together are one map. */
  #changed(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      if (!this.#closed) this.#notify()
    })
  }

  #notify(): void {
    const map = this.#map()
    if (this.#listed && this.#each().every(({ read }) => read) && !same(map, this.#delivered)) {
      this.#delivered = map
      notify(this.#session.log, `onMembers of ${this.#path}`, this.#options.onMembers.bind(this.#options), map)
    }
    if (this.stale === this.#stale) return
    this.#stale = this.stale
    notify(this.#session.log, `onStale of ${this.#path}`, (stale) => this.#options.onStale?.(stale), this.#stale)
  }

  #each(): FollowedMember[] {
    return [...this.#members.values()]
  }

  #map(): Members {
    const known = this.#options.name !== ''
    return new Map(
      [...this.#members].flatMap(([name, { data }]) => (known || data !== undefined ? [[name, data] as const] : [])),
    )
  }
}

function rereadOf(options: FollowMembersOptions): { rereadMs?: number } {
  return options.rereadMs === undefined ? {} : { rereadMs: options.rereadMs }
}

function same(one: Members, other: Members | undefined): boolean {
  return one.size === other?.size && [...one].every(([name, data]) => other.has(name) && other.get(name) === data)
}
