import { randomHex } from '../../attempts/random-hex.ts'
import { asError, onAbort } from '@catchment/runtime'
import { ZooKeeperError, isCode } from '../../session/contract/errors.ts'
import { assertCallOptions, assertGiven, callOptions, callRules, is } from '../../session/contract/given.ts'
import { Acquisition, decideExclusive, lookAhead } from '../../line/acquisition.ts'
import { followUntil } from '../../following/follow-until.ts'
import type { Turn } from '../../following/following.ts'
import { inOrder, itemId, itemPrefix, priorityMax, SeenItems } from './queue-items.ts'
import { lockItem, type QueuedItem } from './queued-item.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { within } from '../../attempts/within.ts'
import { Receipts } from './queue-receipts.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import { sharedDeadline } from '../../session/calls/shared-deadline.ts'
import type { CallOptions, ReadOptions, ZooKeeperSession } from '../../session/contract/session.ts'

const itemBytesMaxDefault = 512 << 10
/** A listing of the queue serves this long: an item of a higher priority, or one that came back, may wait so long. */
const seenMsMax = 200
/** How often a call makes the nodes of the queue again when they are missing: someone may be deleting them. */
const missingMax = 5

export interface QueueOptions {
  /** The persistent node of the queue; made with what is below it if missing. */
  readonly path: string
  /** How many items may wait, those that are locked included; the next put is refused with `overloaded`. */
  readonly itemsMax: number
  /** 512 KiB unless given. */
  readonly itemBytesMax?: number
  /** Who takes, for people who read the tree; `taker` unless given. */
  readonly id?: string
}

const optionRules = is.options<QueueOptions>({
  path: is.pathBelowRoot,
  itemsMax: is.wholeNumber(1),
  itemBytesMax: is.optional(is.numberFrom(0)),
  id: is.optional(is.text),
})
const itemRules = { data: is.bytes, priority: is.wholeNumber(0, priorityMax) }

export type ItemsOptions = CallOptions & { readonly max: number }
const itemsOptions = is.options<ItemsOptions>({ ...callRules, max: is.numberFrom(0) })

export interface WaitingItem {
  readonly id: string
  readonly data: Buffer
}

/** The mechanics that the queues share; protocol and guarantees stand at fifoQueue. */
export class Queue {
  readonly #session: ZooKeeperSession
  readonly #options: QueueOptions
  readonly #items: string
  readonly #locks: string
  readonly #takers: string
  readonly #seen = new SeenItems()
  readonly #receipts: Receipts
  /** Puts that found room and are under way: counted on top of what is there, at worst twice for an instant. */
  #putting = 0
  /** Its nodes have been made, or were there. */
  #used = false
  /** Again in every session: the servers may have lost their data between two. */
  #made: { readonly generation: number; readonly done: Promise<void> } | undefined

  constructor(session: ZooKeeperSession, options: QueueOptions) {
    assertGiven('make queue', { session, options }, { options: optionRules })
    this.#session = session
    this.#options = options
    this.#items = `${options.path}/items`
    this.#locks = `${options.path}/locks`
    this.#receipts = new Receipts(session, `${options.path}/puts`)
    this.#takers = `${options.path}/takers`
  }

  async put(data: Uint8Array, priority: number, call: CallOptions): Promise<string> {
    assertGiven(`put into ${this.#options.path}`, { options: call }, { options: callOptions })
    this.#assertItem(data, priority)
    return this.#onNodes(call, async (left) => {
      const stat = await untilAnswered(this.#session, (each) => this.#session.exists(this.#items, each), left)
      this.#assertRoom((stat?.numChildren ?? 0) + this.#putting)
      this.#putting += 1
      try {
        const id = randomHex(this.#session.random)
        await this.#receipts.put({ items: this.#items, prefix: itemPrefix(priority, id), id, data }, left)
        return id
      } finally {
        this.#putting -= 1
      }
    })
  }

  /** Locks and completes. What went back to the queue before it was completed is taken again. */
  async takeOut(call: CallOptions): Promise<Buffer> {
    assertCallOptions(`take from ${this.#options.path}`, call)
    const left = sharedDeadline(this.#session, call)
    for (;;) {
      const item = await this.takeLocked(left)
      try {
        await item.complete()
        return item.data
      } catch (thrown) {
        if (!isCode(thrown, 'refused')) throw thrown
      }
    }
  }

  async takeLocked(call: CallOptions): Promise<QueuedItem> {
    const { path } = this.#options
    let line: Acquisition | undefined
    let refused: Error | undefined
    const look = async (turn: Turn): Promise<QueuedItem | undefined> => {
      if (line?.current?.signal.aborted === false) return this.#takeWatching(turn)
      if (refused !== undefined) throw refused
      if (line !== undefined && line.current === undefined) return undefined
      const taken = await this.#takeSeen(turn)
      if (taken === undefined) line = this.#standInLine(turn, (error) => (refused = error))
      return taken
    }
    let locked: QueuedItem | undefined
    const options = {
      name: `take from ${path}`,
      path,
      turn: async (turn: Turn) => (locked = await this.#onNodes(turn, () => look(turn))),
    }
    try {
      return await followUntil(this.#session, options, call)
    } catch (thrown) {
      void locked?.release() // Taken too late: its caller has gone.
      throw thrown
    } finally {
      void line?.giveUp()
    }
  }

  size(call: CallOptions): Promise<number> {
    return this.#onNodes(call, async (left) => (await this.#session.exists(this.#items, left))?.numChildren ?? 0)
  }

  peek(call: CallOptions): Promise<WaitingItem | undefined> {
    return this.#onNodes(call, async (left) => {
      const seen = await this.#refresh(left, new SeenItems())
      for (let name = seen.shift(); name !== undefined; name = seen.shift()) {
        const item = await this.#read(name, left)
        if (item !== undefined) return item
      }
      return undefined
    })
  }

  async items(options: ItemsOptions): Promise<readonly WaitingItem[]> {
    assertGiven(`list the items of ${this.#options.path}`, { options }, { options: itemsOptions })
    const { max, ...call } = options
    return await this.#onNodes(call, async (left) => {
      const { names } = await this.#session.children(this.#items, left)
      const first = inOrder(names).slice(0, max)
      return (await Promise.all(first.map((name) => this.#read(name, left)))).flatMap((item) => item ?? [])
    })
  }

  putOperation(data: Uint8Array, priority: number): Operation {
    this.#assertItem(data, priority)
    if (!this.#used)
      throw new ZooKeeperError(
        'refused',
        `put into ${this.#options.path}: this queue was not used yet, so its nodes may be missing; await size() of it first`,
      )
    const id = randomHex(this.#session.random)
    return { op: 'create', path: `${this.#items}/${itemPrefix(priority, id)}`, data, mode: 'persistent-sequential' }
  }

  /** Undefined when it has been taken meanwhile. */
  async #read(name: string, call: CallOptions): Promise<WaitingItem | undefined> {
    const found = await getOrUndefined(this.#session, `${this.#items}/${name}`, call)
    return found && { id: itemId(name) ?? name, data: found.data }
  }

  /** From what was seen, listing again when that is used up or old; undefined when a new listing shows nothing to take. */
  async #takeSeen(turn: Turn): Promise<QueuedItem | undefined> {
    for (;;) {
      if (!this.#seen.fresh(this.#session.clock.monotonicMs(), seenMsMax)) {
        await this.#refresh({ signal: turn.signal, generation: turn.generation })
        if (!this.#seen.fresh(this.#session.clock.monotonicMs(), seenMsMax)) return undefined
      }
      const taken = await this.#tryNext(turn)
      if (taken !== undefined) return taken
    }
  }

  /** As the first in the line: lists with watches, which are set before anything is tried, and tries all. */
  async #takeWatching(turn: Turn): Promise<QueuedItem | undefined> {
    await this.#refresh(turn)
    for (;;) {
      const taken = await this.#tryNext(turn)
      if (taken !== undefined) return taken
      if (!this.#seen.fresh(this.#session.clock.monotonicMs(), Infinity)) return undefined
    }
  }

  async #refresh(call: ReadOptions, seen = this.#seen): Promise<SeenItems> {
    const [items, locks] = await Promise.all([
      this.#session.children(this.#items, call),
      this.#session.children(this.#locks, call),
    ])
    seen.see(items.names, locks.names, this.#session.clock.monotonicMs())
    return seen
  }

  async #tryNext({ signal, generation }: Turn): Promise<QueuedItem | undefined> {
    const name = this.#seen.shift()
    if (name === undefined) return undefined
    const claim = {
      session: this.#session,
      generation,
      item: `${this.#items}/${name}`,
      lock: `${this.#locks}/${name}`,
      id: itemId(name) ?? name,
    }
    try {
      return await lockItem(claim, this.#options.id ?? 'taker', signal)
    } catch (thrown) {
      this.#seen.forget() // this one was not tried, and comes before the others
      throw thrown
    }
  }

  /** Among those who wait. Its turn comes when it is the first, and when it has lost its place. */
  #standInLine({ watch }: Turn, onRefused: (error: Error) => void): Acquisition {
    const path = this.#takers
    const wake = (): void => {
      watch({ type: 'changed', path })
    }
    const look = lookAhead(this.#session, path, decideExclusive)
    const line = new Acquisition(this.#session, { path, kind: 'taker', id: this.#options.id ?? 'taker', look })
    line.hold.then(
      (hold) => {
        onAbort(hold.signal, wake)
        wake()
      },
      (thrown: unknown) => {
        onRefused(asError(thrown))
        wake()
      },
    )
    return line
  }

  /** Makes the nodes before the first use, in every session, and whenever they are found missing: servers may lose data. */
  async #onNodes<T>(call: CallOptions, work: (left: CallOptions) => Promise<T>): Promise<T> {
    assertCallOptions(`use queue ${this.#options.path}`, call)
    const left = sharedDeadline(this.#session, call)
    for (let missing = 0; ; missing += 1) {
      await this.#make(left)
      try {
        return await work(left)
      } catch (thrown) {
        if (!isCode(thrown, 'no-node') || thrown.outcome === 'unknown' || missing === missingMax) throw thrown
        this.#made = undefined
      }
    }
  }

  async #make(call: CallOptions): Promise<void> {
    const { generation } = this.#session
    if (this.#made?.generation !== generation) {
      const done = this.#makeAll().catch((thrown: unknown) => {
        this.#made = undefined
        throw thrown
      })
      this.#made = { generation, done }
    }
    const name = `make the nodes of queue ${this.#options.path}`
    await within(this.#session, this.#made.done, { name, outcome: 'not-done' }, call)
    this.#used = true
  }

  async #makeAll(): Promise<void> {
    for (const path of [this.#items, this.#locks, this.#receipts.path, this.#takers])
      await untilAnswered(this.#session, (each) => this.#session.ensurePath(path, each))
  }

  #assertRoom(waiting: number): void {
    const { path, itemsMax } = this.#options
    if (waiting >= itemsMax)
      throw new ZooKeeperError(
        'overloaded',
        `put into ${path}: ${waiting} items wait already, at most ${itemsMax} may; put again when takers have caught up, or add takers`,
      )
  }

  #assertItem(data: Uint8Array, priority: number): void {
    assertGiven(`put into ${this.#options.path}`, { data, priority }, itemRules)
    const bytesMax = this.#options.itemBytesMax ?? itemBytesMaxDefault
    if (data.length > bytesMax)
      throw new ZooKeeperError(
        'too-large',
        `put into ${this.#options.path}: an item has at most ${bytesMax} bytes, this one ${data.length}; put a reference to it`,
      )
  }
}
