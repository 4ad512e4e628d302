import type { Clock, Random, Timer } from '@catchment/runtime'
import type { ZooKeeperSession } from '@catchment/coordination'
import type { Network } from './network.ts'

/**
 * A process of a schedule: code that has a session. It can be stopped (SIGSTOP, a long collection of garbage, a suspended
 * virtual machine): then no timer of it fires and nothing reaches it, while time goes on; what fell due happens when it
 * goes on. One that is dead is stopped for good.
 */
export interface Member {
  readonly name: string
  readonly session: ZooKeeperSession
  readonly clock: Clock
  readonly random: Random
  /** Whether it can act at this instant. One that is stopped holds nothing, whatever its variables say. */
  readonly awake: boolean
  /**
   * Whether the servers have ended its session before its time, and it has not heard of it yet. At such an instant it
   * believes in what may be another's: only what it writes to can report.
   */
  readonly deposed: boolean
  /** Aborts when the schedule is over: begin nothing new, finish. */
  readonly signal: AbortSignal
  /** Whether it is over. */
  over(): boolean
  /** Resolves after `ms`, or as soon as the schedule is over. */
  sleep(ms: number): Promise<void>
  /** A line of the trace that a failure prints. */
  note(text: string): void
  /** The result, or undefined where it ended with a ZooKeeperError, which is noted. Other errors fail the schedule. */
  attempt<T>(what: string, call: () => Promise<T>): Promise<T | undefined>
}

/** The clock of one member: it shows the common time, and while its member is stopped it calls no one. */
export class MemberClock implements Clock {
  readonly #base: Clock
  readonly #skewMs: number
  readonly #due: (() => void)[] = []
  #stopped = false

  constructor(base: Clock, skewMs: number) {
    this.#base = base
    this.#skewMs = skewMs
  }

  now(): number {
    return Math.floor(this.#base.now() + this.#skewMs)
  }

  monotonicMs(): number {
    return this.#base.monotonicMs()
  }

  after(delayMs: number, fire: () => void): Timer {
    let live = true
    const run = (): void => {
      if (!live) return
      if (this.#stopped) {
        this.#due.push(run)
        return
      }
      live = false
      fire()
    }
    const timer = this.#base.after(delayMs, run)
    return {
      cancel: () => {
        live = false
        timer.cancel()
      },
    }
  }

  get stopped(): boolean {
    return this.#stopped
  }

  stop(): void {
    this.#stopped = true
  }

  /** What fell due meanwhile happens now, one after the other, as other events may between. */
  goOn(): void {
    this.#stopped = false
    for (const run of this.#due.splice(0)) this.#base.after(0, run)
  }
}

/** A member as faults see it. */
export interface Victim {
  readonly name: string
  readonly clock: MemberClock
  readonly network: Network
  readonly member: Member | undefined
  dead: boolean
}
