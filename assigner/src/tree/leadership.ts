// Being the leader: elected, and holding the fence of a term. An election only says that one may try; the fence is what
// every publish checks, so a leader that sleeps through its own deposition cannot write.

import { acquireFence, joinElection, type Election, type Fence, type ZooKeeperSession } from '@catchment/coordination'
import {
  decodeZnode,
  encodeZnode,
  leaderSchema,
  type Candidate,
  type Leader,
  type TreePaths,
} from '@catchment/protocol'
import { asError, Background, fullJitter, retry, sleep, type Log } from '@catchment/runtime'

export interface Lead {
  readonly self: Candidate
  readonly term: number
  readonly fence: Fence
  readonly sinceMs: number
  /** Aborts when it is over. */
  readonly signal: AbortSignal
}

export interface LeadershipOptions {
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly log: Log
  /** The fence is taken and synced; the lead begins when this has resolved. Everything is to be read again. */
  readonly prepare: () => Promise<void>
}

/** A candidate that could not lead lets another do so for a moment. */
const standAgainMs = 500

export class Leadership {
  readonly #options: LeadershipOptions
  readonly #background: Background
  readonly #leadListeners = new Set<(lead: Lead) => void>()
  readonly #deposedListeners = new Set<() => void>()
  #election: Election | undefined
  #stop = new AbortController()
  #lead: Lead | undefined
  #closed = false

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.message })
    })
  }

  /** Undefined while another leads, or none. */
  get lead(): Lead | undefined {
    return this.#election?.leading === true ? this.#lead : undefined
  }

  /** Called when a lead begins. */
  onLead(listener: (lead: Lead) => void): void {
    this.#leadListeners.add(listener)
  }

  /** Called when a lead is over. */
  onDeposed(listener: () => void): void {
    this.#deposedListeners.add(listener)
  }

  /** Stands for election, for as long as it is not closed. `self`: who leads, as others are to find it. */
  stand(self: Candidate): void {
    if (this.#closed) return
    const { session, paths } = this.#options
    this.#election = joinElection(session, {
      path: paths.candidates,
      id: JSON.stringify(self),
      onElected: () => {
        this.#stop = new AbortController()
        const { signal } = this.#stop
        this.#background.run('taking the lead', () => this.#take(self, signal))
      },
      onDeposed: () => {
        this.#end()
      },
    })
  }

  /** The fence says that another leads: go to the end of the queue. */
  deposed(lead: Lead): void {
    if (this.#lead !== lead) return
    this.#end()
    this.#standAgain(lead.self)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#end()
    await this.#election?.resign()
    await this.#background.close()
  }

  async #take(self: Candidate, signal: AbortSignal): Promise<void> {
    const { session, paths, log } = this.#options
    try {
      let term = 0
      const claim = (previous: Uint8Array | undefined): Uint8Array => {
        const before = previous === undefined ? undefined : decodeZnode(leaderSchema, previous, paths.leader)
        term = (before?.term ?? 0) + 1
        const leader: Leader = { ...self, term, at: session.clock.now() }
        return encodeZnode(leader)
      }
      const fence = await acquireFence(session, paths.leader, claim, { signal })
      await this.#options.prepare()
      if (signal.aborted) return
      this.#lead = { self, term, fence, sinceMs: session.clock.monotonicMs(), signal }
      log.info('leading', { term })
      for (const listener of this.#leadListeners) listener(this.#lead)
    } catch (thrown) {
      if (signal.aborted) return
      log.warn('elected, and could not take the lead', { reason: asError(thrown).message })
      this.#standAgain(self)
    }
  }

  #standAgain(self: Candidate): void {
    const election = this.#election
    this.#election = undefined
    this.#background.run('standing again', async (signal) => {
      if (election !== undefined) await this.#resign(election, signal)
      await sleep(this.#options.session.clock, standAgainMs, signal)
      this.stand(self)
    })
  }

  /** Until it has succeeded: while the session lives, a node that stays is the first in the queue, and none leads. */
  async #resign(election: Election, signal: AbortSignal): Promise<void> {
    const { session, log } = this.#options
    const { clock, random } = session
    await retry(() => election.resign(), {
      clock,
      signal,
      policy: fullJitter(random, { baseMs: standAgainMs, maxMs: 5_000 }),
      onFailure: (error) => {
        log.warn('could not resign, again soon', { reason: error.message })
      },
    })
  }

  #end(): void {
    this.#stop.abort(new Error('deposed'))
    const lead = this.#lead
    this.#lead = undefined
    if (lead === undefined) return
    this.#options.log.info('deposed', { term: lead.term })
    for (const listener of this.#deposedListeners) listener()
  }
}
