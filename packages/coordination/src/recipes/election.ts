import { Following, type Turn } from './following.ts'
import { isCode } from '../session/errors.ts'
import type { CallOptions, ZooKeeperSession } from '../session/session.ts'

export interface ElectionOptions {
  /** The persistent node of the election; made if it is missing. */
  readonly path: string
  /** Who stands, for people who read the tree: the data of the candidate's node. */
  readonly id: string
  /** It leads: a hint, no permission to write. Take the fence (acquireFence) and check it in every write. */
  readonly onElected: () => void
  /** It does not lead any more: stop at once. */
  readonly onDeposed: () => void
}

export interface Election {
  readonly leading: boolean
  /** Deposes, removes the candidate's node and ends. Rejects if no server could be told: then close the session. */
  resign(): Promise<void>
}

/**
 * Stands in an election. Source: ZooKeeper recipes, "Leader Election"; the random prefix is Curator's "protection".
 *
 * Protocol: an ephemeral sequential node `<random>-<sequence>`; the lowest sequence leads. Everyone else watches only the
 * node before its own, so one death wakes one candidate. A create whose answer was lost is found again by its random
 * prefix; should there be two, the higher is removed. The leader watches its own node.
 *
 * States: candidate → elected → deposed (= candidate) → … → resigned. `onElected` and `onDeposed` alternate.
 * Suspended: deposed at once, within the state change; elected again when it is connected in the same session and its node
 * is still the lowest. Lost: the same, and a new node at the end of the queue.
 * Guarantee: with sessions that keep their lease, two never lead at once. A process that was stopped and wakes up may
 * believe in its past until its timers run: that is why every write is fenced.
 */
export function joinElection(session: ZooKeeperSession, options: ElectionOptions): Election {
  return new Candidacy(session, options)
}

class Candidacy implements Election {
  readonly #session: ZooKeeperSession
  readonly #options: ElectionOptions
  readonly #following: Following<void>
  readonly #unsubscribe: () => void
  #generation = 0
  #prefix = ''
  #node: string | undefined
  #elected = false
  /** Grows whenever what was read may have become untrue: a turn that began before elects nobody. */
  #interruptions = 0

  constructor(session: ZooKeeperSession, options: ElectionOptions) {
    this.#session = session
    this.#options = options
    this.#unsubscribe = session.onState((state) => {
      if (state === 'connected') return
      this.#interruptions += 1
      this.#depose()
    })
    this.#following = new Following<void>(session, {
      name: `election ${options.path}`,
      path: options.path,
      turn: (turn) => this.#stand(turn),
    })
  }

  get leading(): boolean {
    return this.#elected && this.#session.state === 'connected'
  }

  async resign(): Promise<void> {
    this.#unsubscribe()
    this.#interruptions += 1
    this.#depose()
    await this.#following.close()
    if (this.#prefix === '' || this.#generation !== this.#session.generation) return
    const call = { generation: this.#generation }
    await this.#session.sync(this.#options.path, call)
    for (const name of await this.#own(call)) await this.#remove(name)
  }

  async #stand(turn: Turn): Promise<void> {
    const interruptions = this.#interruptions
    const { generation, random } = this.#session
    if (generation !== this.#generation) {
      this.#generation = generation
      this.#prefix = Buffer.from(random.bytes(8)).toString('hex')
      this.#node = undefined
    }
    for (;;) {
      const node = this.#node ?? (await this.#enter(turn))
      this.#node = node
      const queue = await this.#queue({ signal: turn.signal, generation })
      const place = queue.indexOf(node)
      const watched = queue[place <= 0 ? 0 : place - 1]
      if (place < 0) {
        this.#depose()
        this.#node = undefined
      } else if (watched !== undefined && (await this.#exists(watched, turn))) {
        if (place > 0) this.#depose()
        else if (interruptions === this.#interruptions && this.#session.state === 'connected') this.#elect()
        return
      }
    }
  }

  /** The candidate's node: found by its prefix or created. Sync first, so that a create under way is not missed. */
  async #enter({ signal, generation }: Turn): Promise<string> {
    const { path, id } = this.#options
    const call = { signal, generation }
    await this.#session.ensurePath(path, call)
    await this.#session.sync(path, call)
    const [found, ...surplus] = await this.#own(call)
    for (const name of surplus) await this.#remove(name)
    if (found !== undefined) return found
    const created = await this.#session.create(
      `${path}/${this.#prefix}-`,
      Buffer.from(id),
      'ephemeral-sequential',
      call,
    )
    return created.slice(path.length + 1)
  }

  async #own(call: CallOptions): Promise<string[]> {
    return (await this.#queue(call)).filter((name) => name.startsWith(`${this.#prefix}-`))
  }

  async #queue(call: CallOptions): Promise<string[]> {
    const { names } = await this.#session.children(this.#options.path, call)
    return names.sort((one, other) => sequenceOf(one) - sequenceOf(other))
  }

  async #exists(name: string, turn: Turn): Promise<boolean> {
    return (await this.#session.exists(`${this.#options.path}/${name}`, turn)) !== undefined
  }

  async #remove(name: string): Promise<void> {
    try {
      await this.#session.delete(`${this.#options.path}/${name}`, 'any')
    } catch (thrown) {
      if (!isCode(thrown, 'no-node')) throw thrown
    }
  }

  #elect(): void {
    if (this.#elected) return
    this.#elected = true
    this.#tell(this.#options.onElected)
  }

  #depose(): void {
    if (!this.#elected) return
    this.#elected = false
    this.#tell(this.#options.onDeposed)
  }

  #tell(callback: () => void): void {
    try {
      callback()
    } catch (thrown) {
      this.#session.log(`a candidate of ${this.#options.path} threw`, { error: thrown })
    }
  }
}

function sequenceOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('-') + 1))
}
