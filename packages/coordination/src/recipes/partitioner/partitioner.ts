import { randomHex } from '../../attempts/random-hex.ts'
import { asError, Background } from '@catchment/runtime'
import { ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, is } from '../../session/contract/given.ts'
import { notify } from '../../session/contract/notify.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'
import { Following, type Turn } from '../../following/following.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { divide } from './hash-ring.ts'
import { ItemClaims, nodeName } from './item-claims.ts'
import { ItemHoldings, type ItemClaim, type OwnedItem } from './item-holdings.ts'
import { joinMembership, type Membership } from '../members/membership.ts'
import { within } from '../../attempts/within.ts'

const itemsMax = 10_000
const itemBytesMax = 512
const releaseTimeoutMsDefault = 10_000

export interface PartitionerOptions {
  /** The persistent node of the division; made if it is missing. */
  readonly path: string
  /** Who: unlike all others here, and the same after a restart, so that the same items come back. At most 512 bytes. */
  readonly id: string
  /** How much of the items, compared to others: a whole number from 1 to 1,000. 1 unless given. */
  readonly weight?: number
  /** What is divided: the same set for all. At most 10,000 items of at most 512 bytes each. */
  readonly items: readonly string[]
  readonly onAcquired: (items: readonly OwnedItem[]) => void
  /** These go to another: finish with them. Until what it returns settles, at most `releaseTimeoutMs`, they are still ours. */
  readonly onRelease: (items: readonly OwnedItem[]) => Promise<void> | void
  /** These are gone already: the session is lost, or someone deleted the claim. Stop. */
  readonly onLost: (items: readonly OwnedItem[]) => void
  /** 10 s unless given. */
  readonly releaseTimeoutMs?: number
  /** Another with the same id has joined after us; everything is being released, as leave() does. */
  readonly onReplaced?: (error: ZooKeeperError) => void
}

/** Escaped as in URLs, where half a character of two units has no place. */
const isItem = is.that('is text of whole characters', (value) => typeof value === 'string' && value.isWellFormed())
const itemsRule = is.list(isItem)
const optionRules = is.options<PartitionerOptions>({
  path: is.pathBelowRoot,
  id: isItem,
  weight: is.optional(is.wholeNumber(1, 1_000)),
  items: itemsRule,
  onAcquired: is.callback,
  onRelease: is.callback,
  onLost: is.callback,
  releaseTimeoutMs: is.optional(is.numberFrom(0)),
  onReplaced: is.optional(is.callback),
})

export interface Partitioner {
  /** Whether the item is ours at this instant. */
  held(item: string): boolean
  /** All that are ours at this instant. */
  owned(): OwnedItem[]
  /** Other items from now on. Throws as joinPartitioner() rejects. */
  setItems(items: readonly string[]): void
  /** Gives everything back, as onRelease has it, and ends. Past `timeoutMs` or at the signal it rejects and goes on giving back. */
  leave(options?: CallOptions): Promise<void>
}

/**
 * Divides items among those who joined.
 *
 * Protocol: below `path` are `members`, an ephemeral for each, named by its id, with its start and its weight, and `items`, an ephemeral claim on each item
 * that someone owns. Everyone watches the list of members, reads them, computes the same division of the items (divide()), gives up
 * what is not its own any more, and claims what is: by transactions of up to 256 creates. An item that another still holds is
 * watched by its new owner alone, and claimed when it is let go. So a change of members wakes every member once, and each
 * item that moves one of them; items that stay are not touched.
 *
 * Guarantees: while sessions keep their lease an item is held by one member at most: it is claimed elsewhere only after
 * `onRelease` has settled or its time has passed and the claim is deleted, or after the session of its owner is over. As long
 * as members stay the same every item comes to have its owner. Members that have other items or weights in mind for a while
 * wait for each other; they never hold an item together.
 * Suspended: nothing is held; after a reconnect in the same session all is held as before, without a call. Lost: all is lost,
 * onLost is called, and the member joins again in the next session. A member that dies is replaced after its session timeout.
 *
 * Resolves when the member is in. Rejects with `bad-arguments`, also past a limit and for an id under which this
 * session is in already, and with `refused` if one that started later lives under the same id.
 */
export async function joinPartitioner(session: ZooKeeperSession, options: PartitionerOptions): Promise<Partitioner> {
  assertGiven('join partitioner', { session, options }, { options: optionRules })
  const { path, id, weight = 1 } = options
  demandItems(path, [id])
  demandItems(path, options.items)
  const startedMs = session.clock.now()
  const division = new Division(session, options)
  try {
    const membership = await joinMembership(session, {
      path: `${path}/members`,
      name: nodeName(id),
      data: Buffer.from(`${startedMs} ${weight}`),
      replaces: (existing) => startedOf(existing) < startedMs,
      onRefused: (error) => {
        division.replaced(error)
      },
    })
    division.joined(membership)
    return division
  } catch (thrown) {
    await division.leave()
    throw thrown
  }
}

class Division implements Partitioner {
  readonly #session: ZooKeeperSession
  readonly #options: PartitionerOptions
  readonly #members: string
  readonly #holdings: ItemHoldings
  readonly #background: Background
  readonly #following: Following<void>
  readonly #unsubscribe: () => void
  #membership: Membership | undefined
  #items: readonly string[]
  #divided: { readonly key: string; readonly own: readonly string[] } = { key: '', own: [] }
  /** Divides no more: set before any turn that follows. */
  #left = false
  #leaving: Promise<void> | undefined
  #preparedIn = 0

  constructor(session: ZooKeeperSession, options: PartitionerOptions) {
    this.#session = session
    this.#options = options
    this.#items = [...options.items]
    this.#members = `${options.path}/members`
    const stamp = `${options.id} ${randomHex(session.random)}`
    this.#holdings = new ItemHoldings(session, new ItemClaims(session, `${options.path}/items`, stamp), {
      onAcquired: (items) => {
        notify(session.log, `onAcquired of ${options.path}`, options.onAcquired.bind(options), items)
      },
      onLost: (items) => {
        notify(session.log, `onLost of ${options.path}`, options.onLost.bind(options), items)
      },
      wake: () => {
        this.#following.wake()
      },
    })
    this.#background = new Background((name, error) => {
      session.log(`${name} ended by a bug`, { error })
    })
    this.#unsubscribe = session.onState((state) => {
      if (state === 'lost' || state === 'closed') this.#holdings.loseAll(`the session is ${state}`)
    })
    this.#following = new Following<void>(session, {
      name: `division of ${options.path}`,
      path: options.path,
      turn: (turn) => this.#reconcile(turn),
    })
  }

  held(item: string): boolean {
    return this.#holdings.get(item)?.held === true
  }

  owned(): OwnedItem[] {
    return this.#holdings.held()
  }

  setItems(items: readonly string[]): void {
    assertGiven('set items', { items }, { items: itemsRule })
    demandItems(this.#options.path, items)
    this.#items = [...items]
    this.#divided = { key: '', own: [] }
    this.#following.wake()
  }

  joined(membership: Membership): void {
    this.#membership = membership
  }

  replaced(error: ZooKeeperError): void {
    void this.leave({ timeoutMs: this.#session.sessionTimeoutMs }).catch((thrown: unknown) => {
      this.#session.log(`leaving ${this.#options.path} takes long`, { error: asError(thrown) })
    })
    notify(this.#session.log, `onReplaced of ${this.#options.path}`, () => this.#options.onReplaced?.(error))
  }

  leave(options: CallOptions = {}): Promise<void> {
    this.#leaving ??= this.#leave()
    return within(this.#session, this.#leaving, { name: `leave ${this.#options.path}`, outcome: 'unknown' }, options)
  }

  async #leave(): Promise<void> {
    this.#left = true
    this.#following.wake()
    await this.#membership?.leave()
    await this.#holdings.emptied()
    await this.#following.close()
    this.#unsubscribe()
    await this.#background.close()
  }

  async #reconcile(turn: Turn): Promise<void> {
    const own = new Set(this.#left ? [] : await this.#own(turn))
    const leaving = this.#holdings.want(own, turn.generation)
    if (leaving.length > 0)
      this.#background.run(`releasing ${leaving.length} items`, (signal) => this.#release(leaving, signal))
    await this.#holdings.reconcile(turn)
  }

  /** The items that are this member's by the division; leaves the watch on the members. */
  async #own(turn: Turn): Promise<readonly string[]> {
    const { path, id } = this.#options
    if (this.#preparedIn !== turn.generation) {
      for (const parent of [this.#members, `${path}/items`])
        await this.#session.ensurePath(parent, { signal: turn.signal, generation: turn.generation })
      this.#preparedIn = turn.generation
    }
    const members = await this.#readMembers(turn)
    const key = members.map(({ id, weight }) => `${id} ${weight}`).join('/')
    if (key !== this.#divided.key) {
      const own: string[] = []
      for (const [item, owner] of divide(this.#items, members)) if (owner === nodeName(id)) own.push(item)
      this.#divided = { key, own }
    }
    return this.#divided.own
  }

  /** All, since one that came again under the same id may weigh another; without those that leave meanwhile. */
  async #readMembers(turn: Turn): Promise<{ readonly id: string; readonly weight: number }[]> {
    const { names } = await this.#session.children(this.#members, turn)
    const call = { signal: turn.signal, generation: turn.generation }
    const reading = names.sort().map(async (id) => {
      const found = await getOrUndefined(this.#session, `${this.#members}/${id}`, call)
      const weight = weightOf(found?.data)
      return weight === undefined ? [] : [{ id, weight }]
    })
    return (await Promise.all(reading)).flat()
  }

  /** They stay ours until the callback has settled or its time is over. */
  async #release(leaving: readonly ItemClaim[], signal: AbortSignal): Promise<void> {
    const { path, releaseTimeoutMs: timeoutMs = releaseTimeoutMsDefault } = this.#options
    const working = Promise.resolve(leaving).then((items) => this.#options.onRelease(items))
    try {
      await within(this.#session, working, { name: 'onRelease', outcome: 'unknown' }, { timeoutMs, signal })
    } catch (thrown) {
      this.#session.log(`items of ${path} are given up all the same`, { error: asError(thrown) })
    }
    this.#holdings.giveUp(leaving)
  }
}

/** The data of a member: `<when it started, ms since 1970> <weight>`. */
function startedOf(data: Uint8Array): number {
  return Number(Buffer.from(data).toString('latin1').split(' ')[0])
}

/** Undefined of what is no member. */
function weightOf(data: Buffer | undefined): number | undefined {
  const weight = Number(data?.toString('latin1').split(' ')[1])
  return Number.isInteger(weight) && weight >= 1 ? weight : undefined
}

function demandItems(path: string, items: readonly string[]): void {
  const long = items.find((item) => Buffer.byteLength(nodeName(item)) > itemBytesMax)
  if (items.length <= itemsMax && long === undefined) return
  const found = long === undefined ? `${items.length} items` : `the item or id ${JSON.stringify(long.slice(0, 80))}…`
  throw new ZooKeeperError(
    'bad-arguments',
    `divide ${path}: at most ${itemsMax} items of at most ${itemBytesMax} bytes (escaped as in URLs), not ${found}`,
  )
}
