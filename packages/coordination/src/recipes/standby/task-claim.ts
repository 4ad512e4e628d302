import { ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import { Claim } from '../../claims/claim.ts'
import { NodeHold } from '../../line/hold.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/**
 * What becomes of a task that has run: `remove` it; `keep` it below `path/done`, with its definition, to run no more; or
 * `release` it, for any member to run again.
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

interface TaskClaimOptions {
  /** The node of the group. */
  readonly path: string
  readonly task: string
  readonly id: string
  /** The session that it belongs to. */
  readonly generation: number
}

/** One member's claim to one task: the ephemeral `path/claims/<task>`. All its writes end with its session. */
export class TaskClaim {
  readonly #session: ZooKeeperSession
  readonly #options: TaskClaimOptions
  readonly #claim: Claim
  readonly #task: string

  constructor(session: ZooKeeperSession, options: TaskClaimOptions) {
    const { path, task, id, generation } = options
    this.#session = session
    this.#options = options
    this.#claim = new Claim(session, { path: `${path}/claims/${task}`, stamp: Buffer.from(id), generation })
    this.#task = `${path}/tasks/${task}`
  }

  /** Whether it is now ours; not if the task is another's, or no more. */
  async take(): Promise<boolean> {
    const taken = this.#claim.take([{ op: 'check', path: this.#task, version: 'any' }])
    return (await ignoring(taken, 'no-node')) !== undefined
  }

  /**
   * Runs `work` with the task, writes what becomes of it, and gives the claim back. Rejects as `work` does, or with why the
   * claim is not there any more.
   */
  async run(leaving: AbortSignal, work: (task: RunningTask) => Promise<TaskEnd>): Promise<void> {
    const { task, generation } = this.#options
    const { path: node } = this.#claim
    try {
      const { data: definition } = await this.#sure((call) => this.#session.get(this.#task, call))
      const token = await this.#claim.token()
      if (token === undefined) throw new ZooKeeperError('no-node', `run ${this.#task}: its claim is gone`)
      const held = { node, generation, token, leave: () => this.#claim.release() }
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
      await this.#claim.release()
    }
  }

  /** In one transaction with the end of the claim; nothing where that is not ours any more, as after a lost answer. */
  async #end(end: 'remove' | 'keep', definition: Buffer, call: CallOptions): Promise<void> {
    if ((await this.#claim.look(call)).claim !== 'ours') return
    const ending: Operation[] = [
      { op: 'delete', path: this.#claim.path, version: 'any' },
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
