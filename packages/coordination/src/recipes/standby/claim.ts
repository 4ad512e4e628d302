import { isCode, ZooKeeperError } from '../../session/errors.ts'
import { NodeHold, tokenOf } from '../../line/hold.ts'
import { untilAnswered } from '../../calls/until-answered.ts'
import type { Operation } from '../../session/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/session.ts'

/**
 * What becomes of a task that has run: `remove` it; `keep` it below `path/done`, with its definition, to run no more; or
 * `release` it, for whoever comes to run it again.
 */
export type TaskEnd = 'remove' | 'keep' | 'release'

/** A task that this member runs. */
export interface RunningTask {
  /** The name of its node below `path/tasks`. */
  readonly name: string
  readonly definition: Buffer
  /** False while suspended and from the loss on. Look at it before each act on the outside. */
  readonly held: boolean
  /** The fencing token: grows from one that runs this task to the next. */
  readonly token: bigint
  /** Aborts when the run is to end: the claim was lost for good, or the member leaves. */
  readonly signal: AbortSignal
}

interface ClaimOptions {
  /** The node of the group. */
  readonly path: string
  readonly task: string
  readonly id: string
  /** The session that it belongs to. */
  readonly generation: number
}

/** One member's claim to one task: the ephemeral `path/claims/<task>`. All its writes end with its session. */
export class Claim {
  readonly #session: ZooKeeperSession
  readonly #options: ClaimOptions
  readonly #node: string
  readonly #task: string

  constructor(session: ZooKeeperSession, options: ClaimOptions) {
    this.#session = session
    this.#options = options
    this.#node = `${options.path}/claims/${options.task}`
    this.#task = `${options.path}/tasks/${options.task}`
  }

  /** Whether it is now ours; not if the task is another's, or no more. Rejects as calls do: `unknown`, and it may be ours. */
  async take(signal: AbortSignal): Promise<boolean> {
    const { id, generation } = this.#options
    try {
      await this.#session.multi(
        [
          { op: 'check', path: this.#task, version: 'any' },
          { op: 'create', path: this.#node, data: Buffer.from(id), mode: 'ephemeral' },
        ],
        { signal, generation },
      )
      return true
    } catch (thrown) {
      if (isCode(thrown, 'no-node', 'node-exists')) return false
      throw thrown
    }
  }

  async isOurs(call: CallOptions): Promise<boolean> {
    const stat = await this.#session.exists(this.#node, { ...call, generation: this.#options.generation })
    return stat?.ephemeralOwner !== undefined && stat.ephemeralOwner === this.#session.sessionId
  }

  /**
   * Runs `work` with the task, writes what becomes of it, and gives the claim back. Rejects as `work` does, or with why the
   * claim is not there any more.
   */
  async run(leaving: AbortSignal, work: (task: RunningTask) => Promise<TaskEnd>): Promise<void> {
    const { task, generation } = this.#options
    try {
      const { data: definition } = await this.#sure((call) => this.#session.get(this.#task, call))
      const stat = await this.#sure((call) => this.#session.exists(this.#node, call))
      if (stat === undefined) throw new ZooKeeperError('no-node', `run ${this.#task}: its claim is gone`)
      const held = { node: this.#node, generation, token: tokenOf(stat), leave: () => this.release() }
      const hold = new NodeHold(this.#session, held)
      try {
        const end = await work({
          name: task,
          definition,
          get held() {
            return hold.held
          },
          token: hold.token,
          signal: AbortSignal.any([hold.signal, leaving]),
        })
        if (end !== 'release') await this.#sure((call) => this.#end(end, definition, call))
      } finally {
        await hold.letGo()
      }
    } finally {
      await this.release()
    }
  }

  /**
   * Resolves when no claim of ours is there, or the session is over; never rejects. The name of a claim is used again: it
   * is deleted only where it was seen to be ours since the last attempt, whose answer may have been lost.
   */
  async release(): Promise<void> {
    try {
      await this.#sure(async (call) => {
        if (await this.isOurs(call)) await this.#session.delete(this.#node, 'any', call)
      })
    } catch (thrown) {
      if (!isCode(thrown, 'no-node', 'session-lost', 'closed'))
        this.#session.log(`release ${this.#node} failed`, { error: thrown })
    }
  }

  /** In one transaction with the end of the claim; nothing where that is not ours any more, as after a lost answer. */
  async #end(end: 'remove' | 'keep', definition: Buffer, call: CallOptions): Promise<void> {
    if (!(await this.isOurs(call))) return
    const ending: Operation[] = [
      { op: 'delete', path: this.#node, version: 'any' },
      { op: 'delete', path: this.#task, version: 'any' },
    ]
    const kept = `${this.#options.path}/done/${this.#options.task}`
    if (end === 'keep')
      ending.push(
        (await this.#session.exists(kept, call)) === undefined
          ? { op: 'create', path: kept, data: definition }
          : { op: 'set', path: kept, data: definition, version: 'any' },
      )
    await this.#session.multi(ending, call)
  }

  #sure<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    return untilAnswered(this.#session, call, { generation: this.#options.generation })
  }
}
