import { Agent } from 'undici'
import { asError, CatchmentError, codeOf } from '../errors.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** Until the whole answer is here. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
}

/** Requests over kept-alive HTTP/1.1 connections. Never retries: only the caller knows what may be sent twice. */
export interface HttpClient {
  /** Throws CatchmentError `unreachable` (nothing was sent), `no-answer` (it may have been) or `timeout`; retryable. */
  request(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

/** The largest answer that is read; a larger one is an error. */
const answerBytesMax = 256 * 1024 * 1024

export function createHttpClient(options: { connectionsPerOrigin: number; connectTimeoutMs: number }): HttpClient {
  const agent = new Agent({
    connections: options.connectionsPerOrigin,
    pipelining: 1,
    allowH2: false, // bulk uploads are slower over HTTP/2
    connect: { timeout: options.connectTimeoutMs },
    keepAliveTimeout: 30_000,
    maxResponseSize: answerBytesMax,
  })
  return {
    async request(request) {
      const deadline = AbortSignal.timeout(request.timeoutMs)
      const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal])
      try {
        const url = new URL(request.url)
        const answer = await agent.request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: request.method,
          headers: { ...request.headers },
          body: request.body ?? null,
          signal,
          headersTimeout: request.timeoutMs,
          bodyTimeout: request.timeoutMs,
        })
        const body = Buffer.from(await answer.body.arrayBuffer())
        return { status: answer.statusCode, headers: answer.headers, body }
      } catch (thrown) {
        if (request.signal?.aborted === true) throw asError(request.signal.reason)
        throw failure(request, thrown, deadline.aborted)
      }
    },
    close: () => agent.destroy(),
  }
}

/** Failures of looking up and connecting, before a byte of the request left. */
const neverSent = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'ERR_INVALID_URL',
  'UND_ERR_CONNECT_TIMEOUT',
])

function failure(request: HttpRequest, thrown: unknown, timedOut: boolean): CatchmentError {
  const cause = codeOf(thrown)
  const code = timedOut ? 'timeout' : cause !== undefined && neverSent.has(cause) ? 'unreachable' : 'no-answer'
  const reason = timedOut ? `no answer within ${request.timeoutMs} ms` : (cause ?? asError(thrown).message)
  return new CatchmentError(code, `${request.method} ${request.url} failed: ${reason}`, {
    blame: 'peer',
    retryable: true,
    cause: thrown,
  })
}
