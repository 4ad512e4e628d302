// The queues of a collector in Redis: two connections for all of them (and one more for each worker), one gate, and what is
// known of the health of Redis.

import { Background, type Clock, type Random } from '@catchment/runtime'
import { problemsOf, type QueueProblem, type RedisHealth } from '../decide/problems.ts'
import type { TokenRate } from '../decide/token-bucket.ts'
import type { QueueLimits, QueueTimes } from '../limits.ts'
import type { LimitedLog } from '../limited-log.ts'
import { ProblemBoard } from '../problem-board.ts'
import type { CloseResult, DeliveryQueue, Queues, RateLimiter } from '../queues.ts'
import type { RedisAddress } from './address.ts'
import { openLink, type RedisLink, type RedisTls } from './connection.ts'
import { Gate } from './gate.ts'
import { RedisLimiter } from './redis-limiter.ts'
import { RedisQueue } from './redis-queue.ts'

export interface RedisQueuesOptions {
  readonly collector: string
  /** In front of every key, so that one Redis can serve others too. */
  readonly prefix: string
  readonly address: RedisAddress
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly sentinelPassword?: string | undefined
  readonly tls?: RedisTls | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: LimitedLog
  readonly limits: QueueLimits
  readonly times: QueueTimes
}

export class RedisQueues implements Queues {
  readonly kind = 'redis'
  readonly #options: RedisQueuesOptions
  readonly #producer: RedisLink
  readonly #worker: RedisLink
  readonly #gate: Gate
  readonly #board = new ProblemBoard()
  readonly #work: Background
  readonly #queues = new Map<string, RedisQueue>()
  readonly #limiters = new Map<string, RedisLimiter>()
  #health: RedisHealth
  #living = 1
  #closing = false

  constructor(options: RedisQueuesOptions) {
    this.#options = options
    const { address, clock, random, log, times } = options
    this.#work = new Background((name, error) => {
      log.warn('asking', `${name} failed`, { error: error.message })
    })
    this.#gate = new Gate({
      ...{ clock, random, log, times },
      usable: () => this.#producer.usable(),
      onChange: (breaker) => {
        this.#learned({ breaker })
      },
    })
    this.#health = {
      ...{ address: address.text, link: 'connecting', linkError: undefined, breaker: this.#gate.breaker },
      ...{ evictionPolicy: undefined, version: undefined },
    }
    this.#producer = openLink({
      ...options,
      role: 'producer',
      onReady: () => {
        this.#ready()
      },
      onAway: () => {
        this.#learned({ link: 'away' })
      },
      onError: (error) => {
        this.#linkFailed(error)
      },
    })
    this.#worker = this.#openForWork('worker')
  }

  queue(sink: string): DeliveryQueue {
    const queue =
      this.#queues.get(sink) ??
      new RedisQueue({
        ...this.#options,
        ...{ sink, producer: this.#producer, worker: this.#worker, gate: this.#gate },
        openBlocking: () => this.#openForWork('blocking'),
      })
    this.#queues.set(sink, queue)
    return queue
  }

  limiter(name: string, rate: TokenRate): RateLimiter {
    const { clock, prefix } = this.#options
    const key = `${prefix}:limit:{${encodeURIComponent(name)}}`
    const shared = { clock, gate: this.#gate, link: this.#producer, living: () => this.#living }
    const limiter = this.#limiters.get(name) ?? new RedisLimiter({ ...shared, key, rate })
    this.#limiters.set(name, limiter)
    return limiter
  }

  setLivingCollectors(count: number): void {
    this.#living = count
  }

  problems(): readonly QueueProblem[] {
    return this.#board.problems
  }

  onProblems(listener: (problems: readonly QueueProblem[]) => void): () => void {
    return this.#board.listen(listener)
  }

  async close(deadlineMs: number): Promise<CloseResult> {
    this.#closing = true
    const abandoned = await Promise.all([...this.#queues.values()].map((queue) => queue.close(deadlineMs)))
    this.#producer.disconnect()
    this.#worker.disconnect()
    return { abandoned: abandoned.flat() }
  }

  #openForWork(role: 'worker' | 'blocking'): RedisLink {
    const nothing = (): void => undefined
    const onError = (error: string): void => {
      this.#linkFailed(error)
    }
    return openLink({ ...this.#options, role, onReady: nothing, onAway: nothing, onError })
  }

  #ready(): void {
    this.#gate.reset()
    this.#learned({ link: 'ready', linkError: undefined })
    this.#work.run('asking Redis for its configuration', async () => {
      this.#learned(await this.#producer.ask())
    })
  }

  #linkFailed(error: string): void {
    if (this.#closing) return
    this.#options.log.warn('link', 'the connection to Redis failed', { error })
    if (!this.#producer.usable()) this.#learned({ linkError: error })
  }

  #learned(news: Partial<RedisHealth>): void {
    this.#health = { ...this.#health, ...news }
    if (!this.#closing) this.#board.show(problemsOf(this.#health))
  }
}
