import { asError, onAbort, sleep, unlessAborted } from '@catchment/runtime'
import { Backoff } from '../../session/connection/backoff.ts'
import { ZooKeeperError } from '../../session/contract/errors.ts'
import { assertCallOptions, assertGiven, is } from '../../session/contract/given.ts'
import { notify } from '../../session/contract/notify.ts'
import { Acquisition, decideExclusive, lookAhead } from '../../line/acquisition.ts'
import type { NodeHold } from '../../line/hold.ts'
import { SavedContext } from './saved-context.ts'
import { within } from '../../attempts/within.ts'
import type { CallOptions, SessionState, ZooKeeperSession } from '../../session/contract/session.ts'

const pauseAfterFailure = { baseMs: 500, maxMs: 30_000 }

/** What it may become from each. */
export const hotStandbyTransitions = {
  standby: ['running', 'left'],
  running: ['suspended', 'stopping'],
  suspended: ['running', 'stopping'],
  stopping: ['standby', 'left'],
  left: [],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type HotStandbyState = keyof typeof hotStandbyTransitions

export interface HotStandbyOptions {
  /** The persistent node of the recipe; made if it is missing. */
  readonly path: string
  /** Who, for people who read the tree: the data of the candidate's node. */
  readonly id: string
  /**
   * The service, called when it is this member's turn; until it has ended it is not called again. It ends soon after
   * `active.signal` aborts. Resolving of itself: its work is done, this member leaves and the next one runs. Throwing: the
   * next one runs, and this member stands again, at the end, after a pause that grows with each failure in a row.
   */
  readonly run: (active: Active) => Promise<void>
  readonly onState?: (state: HotStandbyState) => void
}

const optionRules = is.options<HotStandbyOptions>({
  path: is.pathBelowRoot,
  id: is.text,
  run: is.callback,
  onState: is.optional(is.callback),
})

/** The running member. */
export interface Active {
  /** As last saved by the member that ran before; undefined if nothing ever was. */
  readonly context: Buffer | undefined
  /** False while suspended and from the loss on; true while it is asked to leave. Look at it before each act on the outside. */
  readonly held: boolean
  /** The fencing token: grows from one that runs to the next. */
  readonly token: bigint
  /** Aborts when it is to end: it was lost for good (`held` is false), or it is to leave (save, then return). */
  readonly signal: AbortSignal
  /**
   * Resolves when the context is in the tree for the next one. Saves are written one after the other, in order. Rejects
   * with `session-lost` or `no-node` when deposed: then nothing was overwritten. At most 1 MB, less a little (`too-large`).
   * `timeoutMs` bounds the whole, also the wait for the saves before; one that gives up in that wait is never written.
   */
  save(context: Uint8Array, options?: CallOptions): Promise<void>
}

export interface HotStandby {
  readonly state: HotStandbyState
  /**
   * Asks a running service to end, waits for it, then removes the node: the next one runs. Without `timeoutMs` as long as it
   * takes; at the deadline rejects with `timeout` and gives the place away although the service has not ended.
   */
  leave(options?: CallOptions): Promise<void>
}

/**
 * One member runs, the others stand by, and the next one takes over with the context that was saved last.
 *
 * Protocol: an election below `path/candidates`; the first runs. `path/context` holds the context: read after a sync when
 * elected, written at the version that was read in one transaction that checks that its own candidate's node exists. The
 * next one is elected only when that node is gone, so it reads the last context, and no save of a deposed one follows.
 *
 * States: hotStandbyTransitions. running → suspended: the session is cut off; the service goes on, `held` is false.
 * suspended → running: connected again in the same session. → stopping: the session or the node was lost, the service has
 * ended, or the member leaves; the signal aborts, and it stays so until the service has ended and the place is given back.
 *
 * Guarantees and limits: those of joinElection. One death wakes one member.
 *
 * Throws `bad-arguments`.
 */
export function joinHotStandby(session: ZooKeeperSession, options: HotStandbyOptions): HotStandby {
  assertGiven('join hot standby', { session, options }, { options: optionRules })
  return new HotStandbyMember(session, options)
}

/** Why a member's turn is over. */
type Ending = 'done' | 'failed' | 'lost'

class HotStandbyMember implements HotStandby {
  readonly #session: ZooKeeperSession
  readonly #options: HotStandbyOptions
  readonly #leaving = new AbortController()
  readonly #done: Promise<void>
  #acquisition: Acquisition | undefined
  #state: HotStandbyState = 'standby'

  constructor(session: ZooKeeperSession, options: HotStandbyOptions) {
    this.#session = session
    this.#options = options
    const leaveIfClosed = (state: SessionState): void => {
      if (state === 'closed') this.#leaving.abort(new ZooKeeperError('closed', 'the session is closed'))
    }
    const unsubscribe = session.onState(leaveIfClosed)
    leaveIfClosed(session.state)
    this.#done = this.#live().finally(unsubscribe)
  }

  get state(): HotStandbyState {
    return this.#state
  }

  async leave(options?: CallOptions): Promise<void> {
    const name = `leave ${this.#options.path}`
    assertCallOptions(name, options)
    this.#leaving.abort(new ZooKeeperError('closed', name))
    try {
      await within(this.#session, this.#done, { name, outcome: 'unknown' }, options)
    } catch (thrown) {
      void this.#acquisition?.giveUp()
      throw thrown
    }
  }

  async #live(): Promise<void> {
    const { clock, random } = this.#session
    const { signal } = this.#leaving
    const backoff = new Backoff(random, pauseAfterFailure)
    for (;;) {
      const ending = await this.#stand()
      if (ending === 'done' || signal.aborted) break
      if (this.#state === 'stopping') this.#become('standby')
      if (ending === 'failed') await sleep(clock, backoff.nextMs(), signal).catch(() => undefined)
      else backoff.reset()
    }
    this.#become('left')
  }

  /** Once in line, at most once running. */
  async #stand(): Promise<Ending> {
    const { path, id } = this.#options
    const line = `${path}/candidates`
    const look = lookAhead(this.#session, line, decideExclusive)
    const acquisition = new Acquisition(this.#session, { path: line, kind: 'candidate', id, look })
    this.#acquisition = acquisition
    const leaving = this.#leaving.signal
    try {
      return await this.#run(await unlessAborted(acquisition.hold, leaving))
    } catch (thrown) {
      if (acquisition.current?.signal.aborted === true || leaving.aborted) return 'lost'
      this.#session.log(`the service of ${path} failed, the next one runs`, { error: asError(thrown) })
      return 'failed'
    } finally {
      this.#stopping()
      await acquisition.giveUp()
    }
  }

  async #run(hold: NodeHold): Promise<Ending> {
    const { token, node, generation } = hold
    const signal = AbortSignal.any([hold.signal, this.#leaving.signal])
    const path = `${this.#options.path}/context`
    const context = await SavedContext.read(this.#session, { path, node, generation }, signal)
    if (!hold.held || signal.aborted) return 'lost'
    this.#become('running')
    hold.onChange(() => {
      if (this.#state === 'running' && !hold.held) this.#become('suspended')
      else if (this.#state === 'suspended' && hold.held) this.#become('running')
    })
    onAbort(signal, () => {
      this.#stopping()
    })
    await this.#options.run({
      context: context.atFirst,
      get held() {
        return hold.held
      },
      token,
      signal,
      save: (data, call) => context.save(data, call),
    })
    return outcomeOf(signal)
  }

  #stopping(): void {
    if (this.#state === 'running' || this.#state === 'suspended') this.#become('stopping')
  }

  /** The one setter. */
  #become(state: HotStandbyState): void {
    const allowed: readonly string[] = hotStandbyTransitions[this.#state]
    if (!allowed.includes(state)) throw new Error(`a hot standby does not go from ${this.#state} to ${state}`)
    this.#state = state
    notify(this.#session.log, `onState of ${this.#options.path}`, () => this.#options.onState?.(state))
  }
}

/** Ended of itself, or because it was asked to. */
function outcomeOf({ aborted }: AbortSignal): Ending {
  return aborted ? 'lost' : 'done'
}
