// What a standby hands on to the leader, over HTTP. What was handed on is never handed on again: two assigners that each
// take the other for the leader must not play ball.

import {
  errorAnswerSchema,
  parseJson,
  rebalanceAnswerSchema,
  type Leader,
  type RebalanceAnswer,
  type RebalanceRequest,
  type ResolveRequest,
} from '@catchment/protocol'
import { CatchmentError, type HttpAnswer, type HttpClient } from '@catchment/runtime'

const creationTimeoutMs = 1_000
const rebalanceTimeoutMs = 30_000

export class LeaderLink {
  readonly #http: HttpClient

  constructor(http: HttpClient) {
    this.#http = http
  }

  /** Tells of groups to be created and of collectors that refused. The answer comes with the tree. */
  async resolve(leader: Leader, request: ResolveRequest): Promise<void> {
    await this.#post(leader, '/v1/resolve?forwarded=1', { ...request, waitMs: 0 }, creationTimeoutMs)
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

/** Nobody to hand it on to. */
export function noLeader(): CatchmentError {
  return new CatchmentError('no-leader', 'no assigner leads right now: ask again soon', {
    blame: 'peer',
    retryable: true,
  })
}
