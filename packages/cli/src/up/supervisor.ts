// The shell around the decisions of decide/supervision.ts: it starts and ends processes, keeps their logs, and announces what happens.

import { join } from 'node:path'
import { CatchmentError, environment, type Clock, type Timer } from '@catchment/runtime'
import {
  beginSupervision,
  nextDeadlineMs,
  supervise,
  type SupervisionDecision,
  type SupervisedProgram,
  type Supervision,
  type SupervisionEffect,
  type SupervisionEvent,
} from '../decide/supervision.ts'
import type { FindProgram } from '../programs/find-program.ts'
import { startChild, type Child, type Ready } from './child.ts'
import { wordsOf, type LaunchPlan } from './launch.ts'
import { ProgramLog } from './log-file.ts'

/** A program that runs and is ready. */
export interface Running extends SupervisedProgram {
  readonly pid: number
  readonly url: string | undefined
  readonly port: number | undefined
}

/** Announces what happens, as it happens. */
export interface Announcer {
  /** A program is ready, for the first time or again. */
  readonly ready: (running: Running, restart: boolean) => void
  /** A program has died; it is started again in `againInMs`. */
  readonly died: (
    dead: SupervisedProgram & { readonly pid: number; readonly how: string; readonly againInMs: number },
  ) => void
  /** All are ready. */
  readonly up: (running: readonly Running[]) => void
  /** A program did not end in its time and is killed. */
  readonly killed: (member: SupervisedProgram) => void
}

export interface SupervisorOptions {
  readonly plan: LaunchPlan
  readonly find: FindProgram
  readonly clock: Clock
  readonly announce: Announcer
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #children = new Map<string, Child>()
  readonly #logs = new Map<string, ProgramLog>()
  readonly #addresses = new Map<string, Ready & { url: string | undefined; port: number | undefined }>()
  readonly #hows = new Map<string, string>()
  readonly #ended: Promise<void>
  #end: () => void = () => undefined
  #state: Supervision | undefined
  #timer: Timer | undefined
  #failure: Error | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  /**
   * Starts all programs, keeps them running until `signal` aborts, and ends them. Throws CatchmentError `start-failed`
   * when one died before it was ready, or not all were ready within 30 s; then, too, everything has ended.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => {
      this.#handle({ type: 'stop' })
    }
    this.#apply(beginSupervision(this.#options.plan.members, this.#options.clock.monotonicMs()))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      await this.#ended
    } finally {
      signal.removeEventListener('abort', stop)
      this.#timer?.cancel()
      for (const log of this.#logs.values()) log.close()
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #handle(event: SupervisionEvent): void {
    if (this.#state === undefined) return
    this.#apply(supervise(this.#state, event, this.#options.clock.monotonicMs()))
  }

  #apply(decision: SupervisionDecision): void {
    this.#state = decision.state
    for (const effect of decision.effects) this.#perform(effect)
    this.#timer?.cancel()
    const deadlineMs = nextDeadlineMs(this.#state)
    if (deadlineMs === undefined) return
    this.#timer = this.#options.clock.after(Math.max(0, deadlineMs - this.#options.clock.monotonicMs()), () => {
      this.#handle({ type: 'tick' })
    })
  }

  #perform(effect: SupervisionEffect): void {
    switch (effect.type) {
      case 'start':
        this.#start(this.#member(effect.id))
        return
      case 'terminate':
        this.#signal(effect.id, 'SIGTERM')
        return
      case 'kill':
        this.#options.announce.killed(this.#member(effect.id))
        this.#signal(effect.id, 'SIGKILL')
        return
      case 'announceReady':
        this.#options.announce.ready(this.#running(this.#member(effect.id)), effect.restart)
        return
      case 'announceDeath':
        this.#announceDeath(effect.id, effect.againInMs)
        return
      case 'announceUp':
        this.#options.announce.up(this.#options.plan.members.map((member) => this.#running(member)))
        return
      case 'fail':
        this.#failure = this.#failed(effect.id, effect.because)
        return
      case 'stopped':
        this.#end()
    }
  }

  #signal(id: string, signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#children.get(id)?.signal(signal)
  }

  #announceDeath(id: string, againInMs: number): void {
    const pid = this.#children.get(id)?.pid ?? 0
    this.#options.announce.died({ ...this.#member(id), pid, how: this.#how(id), againInMs })
  }

  #start(member: SupervisedProgram): void {
    const { plan, find } = this.#options
    const child = startChild({
      file: find(member.role),
      words: wordsOf(member, plan, this.#addresses),
      environment: { NODE_COMPILE_CACHE: plan.layout.compileCache, ...environment() },
      log: this.#log(member),
      onReady: ({ url, port, ready }) => {
        this.#addresses.set(member.id, { url, port, ready })
        this.#handle({ type: 'ready', id: member.id })
      },
      onExit: (how) => {
        this.#hows.set(member.id, how)
        this.#handle({ type: 'exited', id: member.id })
      },
    })
    this.#children.set(member.id, child)
  }

  #log(member: SupervisedProgram): ProgramLog {
    const present = this.#logs.get(member.id)
    if (present !== undefined) return present
    const log = new ProgramLog(join(this.#options.plan.layout.logs, `${member.id}.log`))
    this.#logs.set(member.id, log)
    return log
  }

  #member(id: string): SupervisedProgram {
    const member = this.#options.plan.members.find((other) => other.id === id)
    if (member === undefined) throw new Error(`there is no program ${id}`)
    return member
  }

  #running(member: SupervisedProgram): Running {
    const address = this.#addresses.get(member.id)
    return { ...member, pid: this.#children.get(member.id)?.pid ?? 0, url: address?.url, port: address?.port }
  }

  /** How a program ended, with its last words unless it was killed. */
  #how(id: string): string {
    const how = this.#hows.get(id) ?? 'unknown'
    const words = how.startsWith('SIG') ? undefined : this.#children.get(id)?.lastWords()
    return words === undefined ? how : `${how}: ${words}`
  }

  #failed(id: string, because: 'died' | 'late'): CatchmentError {
    const { role } = this.#member(id)
    const said =
      because === 'died'
        ? `ended before it was ready (${this.#how(id)})`
        : `was not ready in time: ${this.#children.get(id)?.lastWords() ?? 'it logged nothing'}`
    return new CatchmentError('start-failed', `the ${role} ${id} ${said}. Its log is ${this.#logPath(id)}`, {
      blame: 'machine',
    })
  }

  #logPath(id: string): string {
    return join(this.#options.plan.layout.logs, `${id}.log`)
  }
}
