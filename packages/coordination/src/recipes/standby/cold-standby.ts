import { asError, sleep } from '@catchment/runtime'
import { isCode, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertCallOptions, assertGiven, is } from '../../session/contract/given.ts'
import { TaskClaim, type RunningTask, type TaskEnd } from './task-claim.ts'
import { Following, type Turn } from '../../following/following.ts'
import { within } from '../../attempts/within.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

const tasksMaxDefault = 1
const scanMsDefault = 5_000
const spreadMsDefault = 100
/** A task whose run threw is left to others for so long. */
const pauseAfterFailureMs = 2_000

export interface ColdStandbyOptions {
  /** The persistent node of the group; made if it is missing. Its tasks are the children of `path/tasks`, made by anyone. */
  readonly path: string
  /** Who, for people who read the tree: the data of the claims. */
  readonly id: string
  /** Runs a task. Throwing releases it, and this member leaves it to others for two seconds. */
  readonly run: (task: RunningTask) => Promise<TaskEnd>
  /** How many this member runs at once; 1 unless given. */
  readonly tasksMax?: number
  /** Scans this often, besides upon each change; 5 s unless given. */
  readonly scanMs?: number
  /** After a change each member waits for a random part of this, so that they do not all reach for the same; 100 ms. */
  readonly spreadMs?: number
}

const optionRules = is.options<ColdStandbyOptions>({
  path: is.pathBelowRoot,
  id: is.text,
  run: is.callback,
  tasksMax: is.optional(is.numberFrom(1)),
  scanMs: is.optional(is.milliseconds),
  spreadMs: is.optional(is.numberFrom(0)),
})

export interface ColdStandby {
  /** Names of the tasks that run here. */
  readonly running: readonly string[]
  /**
   * Asks the runs to end, waits for them and gives their tasks back. Without `timeoutMs` as long as it takes; at the
   * deadline rejects with `timeout`, and tasks are given back as their runs end.
   */
  leave(options?: CallOptions): Promise<void>
}

/**
 * A member of a group that runs tasks that no other member runs.
 *
 * Protocol: `path/tasks/<task>` is a persistent node with the task's definition; anyone creates it. A member that has room lists
 * tasks and claims, and takes unclaimed ones in random order: one transaction checks that the task exists and creates the
 * ephemeral `path/claims/<task>`, so that one wins and no task is run that has just been done. A task that has ended is
 * removed, or moved to `path/done/<task>`, in one transaction with its claim.
 *
 * Who wakes: those with room, at each change of tasks or claims, each after a random part of `spreadMs`; who is full watches
 * nothing.
 *
 * Guarantees: a task is `held` by no two at one instant, unless others delete claims or the servers end sessions before
 * their time. The tasks of one who died are taken within its session timeout and a scan. A task runs at least once: when its
 * member is lost before the end was written, another runs it again; what its run writes to refuses lower tokens. A claim
 * whose create lost its answer is found at the next scan, and is run.
 * Suspended: the runs go on, `held` is false. Lost: their signals abort; a task is not claimed again here until its run has
 * ended, and no other is in its place.
 *
 * Throws `bad-arguments`.
 */
export function joinColdStandby(session: ZooKeeperSession, options: ColdStandbyOptions): ColdStandby {
  assertGiven('join cold standby', { session, options }, { options: optionRules })
  return new ColdStandbyMember(session, options)
}

class ColdStandbyMember implements ColdStandby {
  readonly #session: ZooKeeperSession
  readonly #options: ColdStandbyOptions
  readonly #following: Following<void>
  readonly #leaving = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  /** Tasks that failed here, until when they are left to others (monotonic). Those that are no more are forgotten. */
  readonly #pausedUntilMs = new Map<string, number>()

  constructor(session: ZooKeeperSession, options: ColdStandbyOptions) {
    this.#session = session
    this.#options = options
    this.#following = new Following<void>(session, {
      name: `tasks of ${options.path}`,
      path: options.path,
      rereadMs: options.scanMs ?? scanMsDefault,
      turn: (turn) => this.#scan(turn),
    })
  }

  get running(): readonly string[] {
    return [...this.#running.keys()]
  }

  async leave(options?: CallOptions): Promise<void> {
    const name = `leave ${this.#options.path}`
    assertCallOptions(name, options)
    this.#leaving.abort(new ZooKeeperError('closed', name))
    await within(this.#session, this.#left(), { name, outcome: 'unknown' }, options)
  }

  async #left(): Promise<void> {
    await this.#following.close()
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  async #scan(turn: Turn): Promise<void> {
    const { path, id } = this.#options
    const { random, clock } = this.#session
    const { signal, generation } = turn
    if (this.#full()) return
    await sleep(clock, random.float() * (this.#options.spreadMs ?? spreadMsDefault), signal)
    for (const part of ['tasks', 'claims', 'done'])
      await this.#session.ensurePath(`${path}/${part}`, { signal, generation })
    const { names: tasks } = await this.#session.children(`${path}/tasks`, turn)
    const claims = await this.#session.children(`${path}/claims`, turn)
    const claimed = new Set(claims.names)
    this.#forget(new Set(tasks))
    for (const task of shuffled(tasks, random)) {
      if (this.#full() || signal.aborted) return
      if (claimed.has(task) || !this.#mayRun(task)) continue
      const claim = new TaskClaim(this.#session, { path, task, id, generation })
      if (await claim.take()) this.#start(task, claim)
    }
  }

  #full(): boolean {
    return this.#leaving.signal.aborted || this.#running.size >= (this.#options.tasksMax ?? tasksMaxDefault)
  }

  #mayRun(task: string): boolean {
    return !this.#running.has(task) && this.#session.clock.monotonicMs() >= (this.#pausedUntilMs.get(task) ?? 0)
  }

  #forget(tasks: ReadonlySet<string>): void {
    for (const task of this.#pausedUntilMs.keys()) if (!tasks.has(task)) this.#pausedUntilMs.delete(task)
  }

  #start(task: string, claim: TaskClaim): void {
    const running = this.#run(task, claim).finally(() => {
      this.#running.delete(task)
      this.#following.wake()
    })
    this.#running.set(task, running)
  }

  async #run(task: string, claim: TaskClaim): Promise<void> {
    try {
      await claim.run(this.#leaving.signal, (running) => this.#options.run(running))
    } catch (thrown) {
      if (isCode(thrown, 'session-lost', 'closed', 'no-node')) return
      this.#pausedUntilMs.set(task, this.#session.clock.monotonicMs() + pauseAfterFailureMs)
      this.#session.log(`task ${task} of ${this.#options.path} failed`, { error: asError(thrown) })
    }
  }
}

function shuffled(names: readonly string[], random: ZooKeeperSession['random']): string[] {
  return names
    .map((name) => ({ name, rank: random.float() }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ name }) => name)
}
