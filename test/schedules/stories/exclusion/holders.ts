import type { Hold, ZooKeeperSession } from '@catchment/coordination'
import type { Member } from '../../world/member.ts'
import type { StoryWorld } from '../story.ts'

interface Holder {
  readonly member: Member
  readonly hold: Hold
  /** The session in which it was given. */
  readonly generation: number
  wasLost: boolean
}

/** Longer than any wait for one's turn when all is calm: sessions of the dead end, everyone before us holds once. */
const turnMsMax = 13_000

/** Something that is written to by holders and refuses who comes with a lower token than it has seen. */
export class FencedResource {
  #token = 0n

  /** Whether it was accepted. */
  write(token: bigint): boolean {
    if (token < this.#token) return false
    this.#token = token
    return true
  }
}

/** Everybody who was given a hold, so that what they believe can be compared at every instant. */
export class Holders {
  readonly #world: StoryWorld
  readonly #holders = new Set<Holder>()
  #wrong: string | undefined
  readonly #waiting: Member[] = []

  constructor(world: StoryWorld) {
    this.#world = world
  }

  /** Those that can act at this instant and hold, as far as they can know. */
  held(): Holder[] {
    return [...this.#holders].filter(({ member, hold }) => member.awake && !member.deposed && hold.held)
  }

  /** All holds that were given and are not back. */
  all(): ReadonlySet<Holder> {
    return this.#holders
  }

  add(member: Member, hold: Hold): () => void {
    const holder: Holder = { member, hold, generation: member.session.generation, wasLost: false }
    this.#holders.add(holder)
    hold.signal.addEventListener('abort', () => {
      holder.wasLost = true
    })
    return () => this.#holders.delete(holder)
  }

  /** How many that can act wait for their turn. */
  get waiting(): number {
    return this.#waiting.filter(({ awake }) => awake).length
  }

  wrong(what: string): void {
    this.#wrong ??= what
  }

  /** What every recipe promises of its holds. */
  check(): void {
    if (this.#wrong !== undefined) throw new Error(this.#wrong)
    for (const { member, hold, generation, wasLost } of this.#holders) {
      const { session } = member
      if (hold.held && (wasLost || hold.signal.aborted)) throw new Error(`${member.name} holds again what it has lost`)
      const lives = session.generation === generation && session.state !== 'lost' && session.state !== 'closed'
      if (!lives && !hold.signal.aborted) throw new Error(`${member.name} was not notified that its session is lost`)
    }
  }

  /** The result of a wait for one's turn, which has to come when all is calm. */
  async turn<T>(member: Member, what: string, wait: () => Promise<T>): Promise<T | undefined> {
    const beganMs = this.#world.nowMs()
    this.#waiting.push(member)
    const got = await member.attempt(what, wait)
    this.#waiting.splice(this.#waiting.indexOf(member), 1)
    const waitedMs = this.#world.nowMs() - beganMs
    if (got === undefined && member.over() && member.awake && waitedMs > turnMsMax)
      this.wrong(`${member.name} waits for ${Math.round(waitedMs)} ms, its turn never came`)
    return got
  }
}

/** The end of every story of a line: all have left. */
export async function nothingIsLeft(outside: ZooKeeperSession, path: string): Promise<void> {
  if ((await outside.exists(path)) === undefined) return
  const { names } = await outside.children(path)
  if (names.length > 0) throw new Error(`left in line: ${names.join(', ')}`)
}
