// Where the verbs' answers come from: an assigner, over HTTP, every answer checked.

import { errorAnswerSchema, parseJson, ProtocolError } from '@catchment/protocol'
import {
  asError,
  CatchmentError,
  codeOf,
  createHttpClient,
  optionalTextSetting,
  type HttpAnswer,
  type HttpClient,
} from '@catchment/runtime'
import type { z } from 'zod'
import { readLastUp } from './last-up.ts'

const timeoutMs = 10_000
const connectTimeoutMs = 3_000

/** The settings of every verb. In the environment: CATCHMENT_ASSIGNER. */
export const assignerSettings = {
  assigner: optionalTextSetting({
    placeholder: 'URL',
    help: 'assigner to ask, or several, separated by commas (default: that of the last "catchment up")',
  }),
}

/** An assigner's URLs, and how the caller came to them. */
export interface Whereabouts {
  readonly urls: readonly string[]
  readonly from: 'setting' | 'last-up'
}

/** Looked up at each request: an `up` that is started again may have another port. Throws CatchmentError `usage`, `no-assigner`. */
function locateAssigner(setting: string | undefined): Whereabouts {
  if (setting !== undefined) {
    const urls = setting.split(',').map((url) => url.trim())
    for (const url of urls)
      if (!/^https?:\/\//.test(url) || !URL.canParse(url))
        throw new CatchmentError(
          'usage',
          `"${url}" is not the URL of an assigner: write it as http://127.0.0.1:7070 (--assigner or CATCHMENT_ASSIGNER)`,
          { blame: 'operator' },
        )
    return { urls, from: 'setting' }
  }
  const lastUp = readLastUp()
  if (lastUp === undefined)
    throw new CatchmentError(
      'no-assigner',
      'no assigner to ask: "catchment up" has not run here. Start it, or name an assigner: --assigner http://HOST:7070 (or CATCHMENT_ASSIGNER)',
      { blame: 'operator' },
    )
  return { urls: lastUp.assigners, from: 'last-up' }
}

export interface AssignerRequest<T> {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** `/v1/tree` */
  readonly path: string
  readonly json?: unknown
  readonly schema: z.ZodType<T>
  /** 10 s unless given. */
  readonly timeoutMs?: number
  readonly signal: AbortSignal
}

export class AssignerClient {
  readonly #locate: () => Whereabouts
  readonly #http: HttpClient

  constructor(locate: () => Whereabouts) {
    this.#locate = locate
    this.#http = createHttpClient({ connectionsPerOrigin: 4, connectTimeoutMs })
  }

  /**
   * The first answer of the assigners, asked in their order. Throws CatchmentError: `unreachable` names the URLs, what an
   * assigner refuses keeps its code and message, `bad-answer` is an answer of another form.
   */
  async ask<T>(request: AssignerRequest<T>): Promise<T> {
    const urls = this.urls()
    let failure: Error | undefined
    for (const url of urls) {
      try {
        return await this.#askOne(url, request)
      } catch (thrown) {
        if (codeOf(thrown) !== 'unreachable' || request.signal.aborted) throw thrown
        failure = asError(thrown)
      }
    }
    throw unreachable(urls, this.#locate().from, failure)
  }

  /** A collector's answer, or what failed. */
  async askCollector<T>(url: string, request: AssignerRequest<T>): Promise<T> {
    return this.#askOne(url.replace(/\/$/, ''), request)
  }

  /** Where the assigners are now, without a slash at the end. */
  urls(): readonly string[] {
    return this.#locate().urls.map((url) => url.replace(/\/$/, ''))
  }

  close(): Promise<void> {
    return this.#http.close()
  }

  async #askOne<T>(url: string, request: AssignerRequest<T>): Promise<T> {
    const whole = url + request.path
    const answer = await this.#http.request({
      method: request.method,
      url: whole,
      timeoutMs: request.timeoutMs ?? timeoutMs,
      signal: request.signal,
      ...(request.json !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request.json),
      }),
    })
    if (answer.status < 200 || answer.status > 299) throw refused(whole, answer)
    try {
      return parseJson(request.schema, answer.body.toString('utf8'), `the answer of ${whole}`)
    } catch (thrown) {
      throw new CatchmentError('bad-answer', `${asError(thrown).message}. Is an assigner of Catchment there?`, {
        blame: 'peer',
        cause: thrown,
      })
    }
  }
}

/** Runs `work` with a client that is closed afterwards. */
export async function withAssigner<T>(
  setting: string | undefined,
  work: (client: AssignerClient) => Promise<T>,
): Promise<T> {
  const client = new AssignerClient(() => locateAssigner(setting))
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

function refused(url: string, answer: HttpAnswer): CatchmentError {
  const text = answer.body.toString('utf8')
  try {
    const { error } = parseJson(errorAnswerSchema, text, 'an error')
    const retryable = answer.status === 503
    return new CatchmentError(error.code, `${url} answered ${answer.status}: ${error.message}`, {
      blame: 'peer',
      retryable,
    })
  } catch (thrown) {
    if (!(thrown instanceof ProtocolError)) throw thrown
    return new CatchmentError('bad-answer', `${url} answered ${answer.status}: ${text.slice(0, 200)}`, {
      blame: 'peer',
    })
  }
}

function unreachable(urls: readonly string[], from: Whereabouts['from'], cause: Error | undefined): CatchmentError {
  const what =
    from === 'last-up'
      ? 'that is where the last "catchment up" ran. Start it again, or name another assigner: --assigner URL'
      : 'is it running, and is the URL right?'
  return new CatchmentError('unreachable', `no assigner answers at ${urls.join(', ')}: ${what}`, {
    blame: 'operator',
    cause,
  })
}
