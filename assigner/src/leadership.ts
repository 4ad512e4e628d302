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
  readonly term: number
  readonly fence: Fence
  readonly sinceMs: number
  /** Aborts when it is over. */
  readonly signal: AbortSignal
}

export interface LeadershipOptions {
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly self: Candidate
  readonly log: Log
  /** The fence is taken and synced; the lead begins when this has resolved. Everything is to be read again. */
  readonly prepare: () => Promise<void>
  readonly onLead: (lead: Lead) => void
  readonly onDeposed: () => void
}

/** Whoever could not lead leaves it to another for a moment. */
const standAnewMs = 500

export class Leadership {
  readonly #options: LeadershipOptions
  readonly #background: Background
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

  /** Undefined while another leads, or nobody. */
  get lead(): Lead | undefined {
    return this.#election?.leading === true ? this.#lead : undefined
  }

  stand(): void {
    if (this.#closed) return
    const { session, paths, self } = this.#options
    this.#election = joinElection(session, {
      path: paths.candidates,
      id: JSON.stringify(self),
      onElected: () => {
        this.#stop = new AbortController()
        const { signal } = this.#stop
        this.#background.run('taking the lead', () => this.#take(signal))
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
    this.#standAnew()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#end()
    await this.#election?.resign()
    await this.#background.close()
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { session, paths, self, log } = this.#options
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
      this.#lead = { term, fence, sinceMs: session.clock.monotonicMs(), signal }
      log.info('leading', { term })
      this.#options.onLead(this.#lead)
    } catch (thrown) {
      if (signal.aborted) return
      log.warn('elected, and could not take the lead', { reason: asError(thrown).message })
      this.#standAnew()
    }
  }

  #standAnew(): void {
    const election = this.#election
    this.#election = undefined
    this.#background.run('standing anew', async (signal) => {
      if (election !== undefined) await this.#resign(election, signal)
      await sleep(this.#options.session.clock, standAnewMs, signal)
      this.stand()
    })
  }

  /** Until it has succeeded: while the session lives, a node left behind is the first in the queue, and nobody leads. */
  async #resign(election: Election, signal: AbortSignal): Promise<void> {
    const { session, log } = this.#options
    const { clock, random } = session
    await retry(() => election.resign(), {
      clock,
      signal,
      policy: fullJitter(random, { baseMs: standAnewMs, maxMs: 5_000 }),
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
    this.#options.onDeposed()
  }
}
