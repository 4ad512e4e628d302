import { randomHex } from '../../attempts/random-hex.ts'
import { asError, Background, unlessAborted, type Timer } from '@catchment/runtime'
import { Backoff } from '../../session/connection/backoff.ts'
import { isCode, ignoring, throwRefusal } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, is } from '../../session/contract/given.ts'
import type { Operation, Stat } from '../../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'
import { Following, type Turn } from '../../following/following.ts'
import {
  claimOperations,
  endOperations,
  initialise,
  readRecord,
  type ReadRecord,
  type SlotClaim,
  type SlotRecord,
} from './slot-record.ts'
import { operationsOf } from './slot-result.ts'
import { checkedSchedule, dueSlot, type Schedule } from './time-slots.ts'
import { untilAnswered, untilGone } from '../../attempts/until-answered.ts'
import { within } from '../../attempts/within.ts'

/** How many slots of the past may be run one after the other. */
const catchUpMaxMax = 1_000
const skewMsMaxDefault = 1_000
const failureBackoff = { baseMs: 1_000, maxMs: 60_000 }

/** One run of one slot. */
export interface Slot {
  /** When it was due, wall clock, ms since 1970. */
  readonly scheduledMs: number
  /** Grows from run to run. Hand it to what is written outside, so that a run that is over can be refused there. */
  readonly token: bigint
  /** True only while the session is connected and the slot is ours. */
  readonly held: boolean
  /** Aborts when the slot is lost for good: what run() returns then is dropped. */
  readonly signal: AbortSignal
}

export interface PeriodicTaskOptions {
  /** The persistent node of the task; made if it is missing. Its data is the record of the last slot. */
  readonly path: string
  readonly id: string
  /** The same for all members: `every(60_000)`. One that gives anything but whole ms is logged, and asked again. */
  readonly schedule: Schedule
  /** Does the work of one slot. Operations that it resolves with are committed together with the mark that it is done. */
  readonly run: (slot: Slot) => Promise<readonly Operation[] | undefined>
  /**
   * `until-done`: a slot is run again, by anyone, until run() has resolved and its operations are committed.
   * `once`: it is begun at most once, and no one asks what became of it. `until-done` unless given.
   */
  readonly attempts?: 'until-done' | 'once'
  /** How many of the slots that passed while no one ran are run afterwards, oldest first: 1 (the latest alone) to 1,000. */
  readonly catchUpMax?: number
  /** How long (up to twice as long) those wait who did not run the last slot, for the one who did; 50 ms unless given. */
  readonly standbyMs?: number
  /** A slot is not run if by the server's clock it is further in the future than this; 1 s unless given. */
  readonly skewMsMax?: number
}

const optionRules = is.options<PeriodicTaskOptions>({
  path: is.pathBelowRoot,
  id: is.text,
  schedule: is.having('is a schedule, as every(60_000) makes one', 'atOrBefore', 'after'),
  run: is.callback,
  attempts: is.optional(is.oneOf('until-done', 'once')),
  catchUpMax: is.optional(is.wholeNumber(1, catchUpMaxMax)),
  standbyMs: is.optional(is.numberFrom(0)),
  skewMsMax: is.optional(is.numberFrom(0)),
})

export interface PeriodicTask {
  /** The slot that is being run here. */
  readonly running: Slot | undefined
  /**
   * Begins no more runs, waits for the current one, and ends; what was claimed and not begun is given back. Without
   * `timeoutMs` and `signal` as long as it takes. Past them it rejects with `timeout` or `aborted`, the run is given up, and
   * what goes on is giving its slot back, or committing what it had resolved with: a second call waits for the same.
   */
  leave(options?: CallOptions): Promise<void>
}

/**
 * Runs a task at each slot of a schedule, each slot by one of those who joined.
 *
 * Protocol: the data of `path` is the record: the last slot that is done, and the claim on the next one. A claim is one
 * transaction: write it into the record at the version that was read, and create an ephemeral `<random>` below. The mark is
 * another: write the slot into the record, delete the ephemeral, and do the operations that run() resolved with. A claim
 * whose ephemeral is gone is void: its owner died. Any living member claims, so a slot is late for the death of a member
 * only if that member was running it. To spare the others, the one who ran the last slot goes first, and the others follow
 * after `standbyMs`: two writes a slot, and two wakes of each member, who all watch the record.
 *
 * Guarantees: no two claims on one slot stand at once, and marks go up: whatever the faults, the operations of each slot are
 * committed at most once, by a run whose claim stood. With `until-done` exactly once, as long as members live and no more
 * than `catchUpMax` slots are waiting; the code of run() may begin more than once (its runner died or lost its session:
 * `signal`), so what it does outside has to know `token`, or belongs into the operations: an enqueued job, not the job
 * itself. With `once` the code begins at most once, and a slot whose runner died is missed. A run() that rejects, or whose
 * operations are refused, is logged; with `until-done` its slot is run again after 1 s, 2 s, … 60 s.
 *
 * Nothing is run for the time before the first member ever joined. Clocks of members may differ: a slot is run early by as
 * much as its runner's clock is ahead, at most `skewMsMax` by the server's clock, and never twice.
 * Suspended: a run goes on and is committed after the reconnect. Lost: its slot is for the next one who claims it.
 *
 * Throws `bad-arguments`.
 */
export function joinPeriodicTask(session: ZooKeeperSession, options: PeriodicTaskOptions): PeriodicTask {
  assertGiven('join periodic task', { session, options }, { options: optionRules })
  return new Runner(session, options)
}

interface Run extends Slot {
  readonly claim: SlotClaim
  /** What the claim was written over. */
  readonly before: SlotRecord
  /** Of the record with the claim. */
  readonly version: number
  readonly generation: number
  readonly lost: AbortController
}

interface Tried {
  readonly claim: SlotClaim
  readonly generation: number
  /** Its run has begun: it is not begun again, whatever becomes of the claim. */
  begun: boolean
}

class Runner implements PeriodicTask {
  readonly #session: ZooKeeperSession
  readonly #options: PeriodicTaskOptions
  readonly #schedule: Schedule
  readonly #stamp: string
  readonly #background: Background
  readonly #following: Following<void>
  readonly #unsubscribe: () => void
  readonly #backoff: Backoff
  #run: Run | undefined
  #ended: Promise<void> = Promise.resolve()
  /** The last claim that was tried: its answer may be lost, and then it is known again by its name. */
  #tried: Tried | undefined
  #standby = { lastMs: NaN, untilMs: 0 }
  #notBeforeMs = 0
  #timer: Timer | undefined
  #leaving: Promise<void> | undefined

  constructor(session: ZooKeeperSession, options: PeriodicTaskOptions) {
    this.#session = session
    this.#options = options
    this.#schedule = checkedSchedule(options.schedule)
    this.#stamp = `${options.id} ${randomHex(this.#session.random)}`
    this.#backoff = new Backoff(session.random, failureBackoff)
    this.#background = new Background((name, error) => {
      session.log(`${name} ended by a bug`, { error })
    })
    this.#unsubscribe = session.onState((state) => {
      if (state === 'lost' || state === 'closed') this.#run?.lost.abort(new Error(`the session is ${state}`))
    })
    this.#following = new Following<void>(session, {
      name: `periodic task ${options.path}`,
      path: options.path,
      turn: (turn) => this.#look(turn),
    })
  }

  get running(): Slot | undefined {
    return this.#run
  }

  async leave(options?: CallOptions): Promise<void> {
    const name = `leave ${this.#options.path}`
    assertGiven(name, { options }, { options: callOptions })
    this.#leaving ??= this.#leave()
    try {
      await within(this.#session, this.#leaving, { name, outcome: 'unknown' }, options)
    } catch (thrown) {
      this.#run?.lost.abort(asError(thrown))
      throw thrown
    }
  }

  async #leave(): Promise<void> {
    await this.#ended
    await this.#following.close()
    this.#timer?.cancel()
    this.#unsubscribe()
    await this.#background.close()
    if (this.#tried !== undefined) await this.#giveUp(this.#tried)
  }

  async #look(turn: Turn): Promise<void> {
    const { path } = this.#options
    for (;;) {
      const read = await readRecord(this.#session, path, turn)
      if (read === undefined) {
        const { signal, generation } = turn
        await initialise(this.#session, path, this.#schedule.atOrBefore(this.#session.clock.now()), {
          signal,
          generation,
        })
        continue
      }
      if (this.#run !== undefined) {
        this.#verify(this.#run, read)
        return
      }
      if (this.#leaving !== undefined) return
      if (read.standing !== undefined) {
        const tried = this.#triedAt(read.record.claim, turn)
        if (tried?.begun === false) this.#begin(tried, read, read.standing)
        else if (tried !== undefined) await this.#giveUp(tried) // nothing could be written when its run ended
        return
      }
      const before = this.#withoutVoidClaim(read.record)
      const slotMs = this.#slotToClaim(before)
      if (slotMs === undefined) return
      await this.#claim({ ...read, record: before }, slotMs, turn)
    }
  }

  #verify(run: Run, { record, standing }: ReadRecord): void {
    if (standing === undefined || record.claim?.node !== run.claim.node) run.lost.abort(new Error('the claim is gone'))
  }

  #triedAt(claim: SlotClaim | undefined, { generation }: Turn): Tried | undefined {
    const tried = this.#tried
    return tried?.claim.node === claim?.node && tried?.generation === generation ? tried : undefined
  }

  /** A void claim is run again, or its slot is over. */
  #withoutVoidClaim({ lastMs, lastBy, claim }: SlotRecord): SlotRecord {
    const over = this.#options.attempts === 'once' && claim !== undefined
    return { lastMs: over ? claim.slotMs : lastMs, lastBy }
  }

  /** The slot to be claimed at once; if there is none, sets the timer for the next look. */
  #slotToClaim({ lastMs, lastBy }: SlotRecord): number | undefined {
    const { catchUpMax = 1, standbyMs = 50 } = this.#options
    const { clock, random } = this.#session
    const [nowMs, monotonicMs] = [clock.now(), clock.monotonicMs()]
    const slotMs = dueSlot(this.#schedule, { lastMs, nowMs, catchUpMax })
    if (slotMs === undefined) {
      this.#wakeAfter(this.#schedule.after(Math.max(nowMs, lastMs)) - nowMs)
      return undefined
    }
    // By what is over, not by the slot that is due, which moves on while one waits.
    if (this.#standby.lastMs !== lastMs)
      this.#standby = { lastMs, untilMs: monotonicMs + standbyMs * (1 + random.float()) }
    const untilMs = Math.max(this.#notBeforeMs, lastBy === this.#stamp ? 0 : this.#standby.untilMs)
    if (untilMs <= monotonicMs) return slotMs
    this.#wakeAfter(untilMs - monotonicMs)
    return undefined
  }

  #wakeAfter(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#session.clock.after(Math.max(delayMs, 1), () => {
      this.#following.wake()
    })
  }

  /** Whether it succeeded the next look shows; only what passes is thrown. */
  async #claim(read: ReadRecord, slotMs: number, { signal, generation }: Turn): Promise<void> {
    const claim = { slotMs, node: randomHex(this.#session.random), by: this.#stamp }
    this.#tried = { claim, generation, begun: false }
    const operations = claimOperations(this.#options.path, read, claim)
    const claimed = untilAnswered(this.#session, (call) => this.#session.multi(operations, call), {
      signal,
      generation,
    })
    await ignoring(claimed, 'bad-version', 'no-node', 'node-exists')
  }

  #begin(tried: Tried, { record, version }: ReadRecord, standing: Stat): void {
    const { claim, generation } = tried
    tried.begun = true
    const session = this.#session
    const lost = new AbortController()
    const run: Run = {
      scheduledMs: claim.slotMs,
      token: BigInt(`0x${standing.czxid}`),
      signal: lost.signal,
      get held() {
        return !lost.signal.aborted && session.state === 'connected' && session.generation === generation
      },
      claim,
      before: { lastMs: record.lastMs, lastBy: record.lastBy },
      version,
      generation,
      lost,
    }
    this.#run = run
    const earlyMs = claim.slotMs - standing.ctimeMs
    this.#ended = new Promise((resolve) => {
      this.#background.run(`slot ${claim.slotMs} of ${this.#options.path}`, async () => {
        try {
          if (earlyMs <= (this.#options.skewMsMax ?? skewMsMaxDefault)) await this.#execute(run)
          else await this.#tooEarly(run, earlyMs)
        } finally {
          this.#run = undefined
          resolve()
          this.#following.wake()
        }
      })
    })
  }

  async #execute(run: Run): Promise<void> {
    try {
      const begin = async (): Promise<readonly Operation[] | undefined> => this.#options.run(run) // or no promise is given
      const resolved = await unlessAborted(begin(), run.signal)
      const operations = operationsOf(this.#options.path, run.scheduledMs, resolved)
      await this.#end(run, { lastMs: run.claim.slotMs, lastBy: this.#stamp }, operations)
      this.#backoff.reset()
    } catch (thrown) {
      this.#session.log(`slot ${run.scheduledMs} of ${this.#options.path} failed`, { error: asError(thrown) })
      this.#notBeforeMs = this.#session.clock.monotonicMs() + this.#backoff.nextMs()
      const lastMs = this.#options.attempts === 'once' ? run.claim.slotMs : run.before.lastMs
      await this.#giveBack(run, { lastMs, lastBy: '' })
    }
  }

  async #tooEarly(run: Run, earlyMs: number): Promise<void> {
    const message = `slot ${run.scheduledMs} of ${this.#options.path} is not run yet: the clock of this machine is ahead`
    this.#session.log(message, { earlyMs })
    this.#notBeforeMs = this.#session.clock.monotonicMs() + earlyMs
    await this.#giveBack(run, run.before)
  }

  async #giveBack(run: Run, record: SlotRecord): Promise<void> {
    try {
      await this.#end(run, record, [])
    } catch (thrown) {
      this.#session.log(`slot ${run.scheduledMs} of ${this.#options.path} is lost`, { error: asError(thrown) })
    }
  }

  /**
   * Ends the claim with its record and operations. Returns too when an answer was lost and what followed shows that the claim
   * had ended: by this very transaction. Throws if nothing of it was done.
   */
  async #end(run: Run, record: SlotRecord, operations: readonly Operation[]): Promise<void> {
    const { claim, version, generation } = run
    const all = [...endOperations(this.#options.path, version, claim, record), ...operations]
    try {
      await untilAnswered(this.#session, (call) => this.#session.multi(all, call), { generation })
    } catch (thrown) {
      throwRefusal(thrown, 2, 'what run resolved with')
      if (!isCode(thrown, 'bad-version', 'no-node') || thrown.outcome === 'not-done') throw thrown
    }
    this.#tried = undefined
  }

  /** No one knows what became of a claim: where it stands it is ended. One that was not begun is as if it had never been. */
  async #giveUp({ claim, generation, begun }: Tried): Promise<void> {
    const { path } = this.#options
    const end = async (call: CallOptions): Promise<void> => {
      await this.#session.sync(path, call) // after what is still under way
      const read = await readRecord(this.#session, path, call)
      if (read?.standing === undefined || read.record.claim?.node !== claim.node) return
      const { lastMs, lastBy } = read.record
      const over = begun && this.#options.attempts === 'once'
      const after = over ? { lastMs: claim.slotMs, lastBy } : { lastMs, lastBy }
      await this.#session.multi(endOperations(path, read.version, claim, after), call)
    }
    await untilGone(this.#session, `${path}/${claim.node}`, end, generation)
  }
}
