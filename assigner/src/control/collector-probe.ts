// What the leader asks of collectors over HTTP: their loads every two seconds, and whether they answer at all.

import { loadAnswerSchema, parseJson, type LoadAnswer } from '@catchment/protocol'
import { asError, codeOf, type Clock, type HttpClient, type Log } from '@catchment/runtime'

export const loadPollIntervalMs = 2_000
const loadTimeoutMs = 1_500
const probeTimeoutMs = 500
const pollsAtOnceMax = 32

export interface Target {
  readonly id: string
  readonly url: string
}

/** `refused`: nothing listens there, which a living collector never says. `silent` proves nothing. */
export type PollAnswer<T> = { readonly kind: 'answered'; readonly value: T } | { readonly kind: 'refused' | 'silent' }

export class CollectorProbe {
  readonly #http: HttpClient
  readonly #log: Log
  readonly clock: Clock

  constructor(options: { http: HttpClient; log: Log; clock: Clock }) {
    this.#http = options.http
    this.#log = options.log
    this.clock = options.clock
  }

  /** GET /healthz within 500 ms. */
  async probe(target: Target, signal: AbortSignal): Promise<PollAnswer<undefined>> {
    const request = { method: 'GET', url: `${target.url}/healthz`, timeoutMs: probeTimeoutMs, signal } as const
    return await this.#ask(request, () => undefined)
  }

  /** GET /v1/load of each; `onAnswer` is called for each as it comes. */
  async loads(
    targets: readonly Target[],
    signal: AbortSignal,
    onAnswer: (target: Target, answer: PollAnswer<LoadAnswer>) => void,
  ): Promise<void> {
    const queue = [...targets]
    const work = async (): Promise<void> => {
      for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
        const url = `${target.url}/v1/load`
        const request = { method: 'GET', url, timeoutMs: loadTimeoutMs, signal } as const
        onAnswer(target, await this.#ask(request, (text) => parseJson(loadAnswerSchema, text, url)))
      }
    }
    await Promise.all(Array.from({ length: pollsAtOnceMax }, work))
  }

  async #ask<T>(
    request: { method: 'GET'; url: string; timeoutMs: number; signal: AbortSignal },
    read: (text: string) => T,
  ): Promise<PollAnswer<T>> {
    try {
      const answer = await this.#http.request(request)
      if (answer.status !== 200) return { kind: 'silent' }
      return { kind: 'answered', value: read(answer.body.toString()) }
    } catch (thrown) {
      request.signal.throwIfAborted()
      const error = asError(thrown)
      this.#log.debug('a collector did not answer', { url: request.url, reason: error.message })
      return { kind: codeOf(error.cause) === 'ECONNREFUSED' ? 'refused' : 'silent' }
    }
  }
}
