import { isCode, type QueuedItem } from '@catchment/coordination'
import type { Member } from '../../world/member.ts'
import type { StoryWorld } from '../story.ts'

/** How old a listing may be by which something is taken: 200 ms when it is used, and the answer may have been slow. */
const listingMsMax = 500
/** Faults are over and healed, and the sessions of the dead too. */
const calmMs = 52_000
/** When all is calm. */
const idleMsMax = 2_500

/** What became of an item, as far as any caller knows. */
export interface Item {
  readonly name: string
  readonly priority: number
  readonly putAtMs: number
  acknowledgedAtMs: number
  /** It was said that it is not in the queue. */
  refused: boolean
  completed: number
  /** A completion ended without an answer, or who completed it died. */
  inDoubt: boolean
  isLeft: boolean
  /** Since when no one has it in hand. */
  freeSinceMs: number
  readonly tokens: Map<number, bigint>
  /** When it was back in the queue, by the number of the next taking. */
  readonly backAtMs: Map<number, number>
}

export interface Wait {
  readonly member: Member
  readonly beganMs: number
}

interface Taking extends Wait {
  readonly generation: number
  readonly item: Item
  readonly token: bigint
}

/** All items of a schedule, and what has to be true of them. */
export class Items {
  readonly #world: StoryWorld
  readonly #items = new Map<string, Item>()
  readonly #hands = new Map<QueuedItem, Taking>()
  readonly #waiting = new Set<Wait>()
  readonly #takings: Taking[] = []
  #wrong: string | undefined

  constructor(world: StoryWorld) {
    this.#world = world
  }

  make(name: string, priority: number): Item {
    const now = this.#world.nowMs()
    const item: Item = {
      name,
      priority,
      putAtMs: now,
      acknowledgedAtMs: Infinity,
      refused: false,
      completed: 0,
      inDoubt: false,
      isLeft: false,
      freeSinceMs: Infinity,
      tokens: new Map(),
      backAtMs: new Map(),
    }
    this.#items.set(name, item)
    return item
  }

  acknowledged(item: Item): void {
    item.acknowledgedAtMs = this.#world.nowMs()
    if (item.tokens.size === 0) item.freeSinceMs = this.#world.nowMs()
    item.backAtMs.set(1, this.#world.nowMs())
  }

  wait(member: Member): Wait {
    const wait = { member, beganMs: this.#world.nowMs() }
    this.#waiting.add(wait)
    return wait
  }

  /** A wait has ended. Returns what was taken. */
  taken(wait: Wait, held: QueuedItem | undefined): Item | undefined {
    this.#waiting.delete(wait)
    if (held === undefined) return undefined
    const { token, attempts } = held
    const item = this.#item(held.data.toString())
    const taking = { ...wait, item, token, generation: wait.member.session.generation }
    this.#hands.set(held, taking)
    held.signal.addEventListener('abort', () => {
      if (isCode(held.signal.reason, 'no-node') && !wait.member.deposed)
        this.#wrong ??= `somebody took ${item.name} from ${wait.member.name}`
    })
    item.freeSinceMs = Infinity
    if (!held.held || wait.member.deposed) return item // lost again before its taker heard of it
    if (item.completed > 0) throw new Error(`${item.name} was taken after it had been completed`)
    if (item.refused) throw new Error(`${item.name} was refused and put`)
    const last = Math.max(0, ...item.tokens.keys())
    if (attempts <= last || token <= (item.tokens.get(last) ?? 0n))
      throw new Error(`${item.name}: taking ${attempts} with token ${token} after ${last}, ${item.tokens.get(last)}`)
    item.tokens.set(attempts, token)
    this.#takings.push(taking)
    return item
  }

  /** It is in no hand any more. `back`: it was given back, which says nothing if the session was over. */
  released(member: Member, item: Item, back: QueuedItem | undefined): void {
    const { state, generation } = member.session
    let isOver = member.deposed || state === 'lost'
    for (const [held, taking] of this.#hands) {
      if (taking.item !== item || taking.member !== member) continue
      this.#hands.delete(held)
      isOver ||= taking.generation !== generation
    }
    if (back === undefined || isOver) return
    item.backAtMs.set(back.attempts + 1, this.#world.nowMs())
    if (!item.tokens.has(back.attempts + 1)) item.freeSinceMs = this.#world.nowMs()
  }

  /** In the queue when all is over. */
  left(name: string): void {
    const item = this.#item(name)
    if (item.isLeft) throw new Error(`${name} was in the queue twice`)
    if (item.completed > 0) throw new Error(`${name} was completed and is in the queue`)
    item.isLeft = true
  }

  check(): void {
    if (this.#wrong !== undefined) throw new Error(this.#wrong)
    const held = new Map<Item, Member>()
    for (const [queued, { item, member }] of this.#hands) {
      if (!member.awake || member.deposed || !queued.held) continue
      const other = held.get(item)
      if (other !== undefined) throw new Error(`${member.name} and ${other.name} hold ${item.name}`)
      held.set(item, member)
    }
    if (this.#world.nowMs() > calmMs) this.#checkCalm()
  }

  /** What was acknowledged has been completed, or is left. Who died while completing cannot report. */
  checkLost(): void {
    const inDeadHands = new Set([...this.#hands.values()].map(({ item }) => item))
    for (const item of this.#items.values()) {
      const { name, acknowledgedAtMs, completed, isLeft, inDoubt } = item
      if (completed > 1) throw new Error(`${name} was completed ${completed} times`)
      const isAccounted = completed > 0 || isLeft || inDoubt || inDeadHands.has(item)
      if (acknowledgedAtMs < Infinity && !isAccounted) throw new Error(`${name} is lost`)
    }
  }

  /** Whatever was in the queue, before another, when a take began was taken before that take had the other one. */
  checkOrder(): void {
    for (const { item, token, beganMs, member } of this.#takings)
      for (const other of this.#items.values()) {
        if (!isBefore(other, item)) continue
        for (const [taking, atMs] of other.backAtMs) {
          // A listing that shows an item shows those before it that no one ever had, however old it is.
          const isSeen = (taking === 1 && other.priority === item.priority) || atMs < beganMs - listingMsMax
          if (isSeen && (other.tokens.get(taking) ?? 0n) > token)
            throw new Error(`${member.name} took ${item.name}, ${token}: ${other.name} was before it since ${atMs}`)
        }
      }
  }

  /** No one waits for long while there is an item for long: a wake-up would have been lost. */
  #checkCalm(): void {
    const sinceMs = this.#world.nowMs() - idleMsMax
    const waiting = [...this.#waiting].find(({ member, beganMs }) => member.awake && beganMs < sinceMs)
    if (waiting === undefined) return
    for (const { name, freeSinceMs, completed, inDoubt } of this.#items.values())
      if (freeSinceMs < sinceMs && completed === 0 && !inDoubt)
        throw new Error(`${name} is in the queue since ${freeSinceMs}, ${waiting.member.name} waits`)
  }

  #item(name: string): Item {
    const item = this.#items.get(name)
    if (item === undefined) throw new Error(`${name} was never put`)
    return item
  }
}

/** Whether it is in an earlier place: the put of the one had ended when the put of the other began. */
function isBefore(one: Item, other: Item): boolean {
  if (one.priority !== other.priority) return one.priority < other.priority
  return one.acknowledgedAtMs < other.putAtMs
}
