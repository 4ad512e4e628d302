// What a standby hands on to the leader, over HTTP. What was handed on is never handed on again: two assigners that each
// take the other for the leader would hand it to and fro without end.

import {
  errorAnswerSchema,
  parseJson,
  rebalanceAnswerSchema,
  resolveGroupsMax,
  type Leader,
  type RebalanceAnswer,
  type RebalanceRequest,
  type ResolveRequest,
} from '@catchment/protocol'
import { CatchmentError, sleep, type Clock, type HttpAnswer, type HttpClient } from '@catchment/runtime'

const creationTimeoutMs = 1_000
const rebalanceTimeoutMs = 30_000
/** What agents ask for within it travels as one request: ten thousand may wait on one standby. */
const gatherMs = 20

export class LeaderLink {
  readonly #http: HttpClient
  readonly #clock: Clock
  readonly #due = new Map<string, ResolveRequest['groups'][number]>()
  #sending: Promise<void> | undefined

  constructor(http: HttpClient, clock: Clock) {
    this.#http = http
    this.#clock = clock
  }

  /**
   * Reports groups to be created, collectors that refused, and epochs that the tree does not know, one request at a time. The
   * answer comes with the tree. What fails is not repeated: an agent that waits for it asks again.
   */
  async report(leader: Leader, groups: ResolveRequest['groups']): Promise<void> {
    for (const asked of groups) this.#due.set(asked.group, asked)
    this.#sending ??= this.#send(leader).finally(() => (this.#sending = undefined))
    await this.#sending
  }

  async #send(leader: Leader): Promise<void> {
    while (this.#due.size > 0) {
      await sleep(this.#clock, gatherMs)
      const groups = [...this.#due.values()].slice(0, resolveGroupsMax)
      for (const { group } of groups) this.#due.delete(group)
      await this.#post(leader, '/v1/resolve?forwarded=1', { groups, waitMs: 0 }, creationTimeoutMs)
    }
  }

  async rebalance(leader: Leader, request: RebalanceRequest): Promise<RebalanceAnswer> {
    const answer = await this.#post(leader, '/v1/rebalance?forwarded=1', request, rebalanceTimeoutMs)
    return parseJson(rebalanceAnswerSchema, answer.body.toString(), `the answer of ${leader.id}`)
  }

  /** Throws CatchmentError: of the client, or what the leader answered. */
  async #post(leader: Leader, path: string, body: unknown, timeoutMs: number): Promise<HttpAnswer> {
    const answer = await this.#http.request({
      method: 'POST',
      url: `${leader.url}${path}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      timeoutMs,
    })
    if (answer.status === 200) return answer
    const { error } = parseJson(errorAnswerSchema, answer.body.toString(), `the refusal of ${leader.id}`)
    throw new CatchmentError(error.code, error.message, { blame: 'peer', retryable: answer.status === 503 })
  }
}

/** There is no leader to hand it on to. */
export function noLeader(): CatchmentError {
  return new CatchmentError('no-leader', 'no assigner leads right now: ask again soon', {
    blame: 'peer',
    retryable: true,
  })
}
