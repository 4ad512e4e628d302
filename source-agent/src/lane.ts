// One collector, as this agent talks to it: streams that have a turn ready, requests under way, and how it has been
// answering. Each collector has a lane of its own, so that a dead one holds up nobody else's logs.

import {
  encodePreamble,
  errorAnswerSchema,
  framesAnswerSchema,
  framesContentType,
  framesPath,
  parseJson,
  type AgentIdentity,
  type FramesAnswer,
  type GroupReport,
} from '@catchment/protocol'
import {
  asError,
  codeOf,
  type Background,
  type Clock,
  type HttpAnswer,
  type HttpClient,
  type Log,
  type Random,
  type Timer,
} from '@catchment/runtime'
import { closedBreaker, pauseMs, requestsAllowed, tripped, type Breaker } from './decide/routing.ts'
import type { Followed } from './followed.ts'
import type { Turn, TurnLimits } from './turns.ts'

/** What came of a turn: its results, or why there are none. `refused`: nothing of it can be on the collector. */
export type TurnEnd =
  | { readonly type: 'answered'; readonly answer: FramesAnswer; readonly first: number }
  | { readonly type: 'refused'; readonly untilMs: number }
  | { readonly type: 'unanswered'; readonly why: string }

export interface LaneOptions {
  readonly collector: string
  readonly url: () => string | undefined
  readonly agent: AgentIdentity
  readonly http: HttpClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly background: Background
  readonly requestTimeoutMs: number
  /** The stream's next turn, marked as sent; undefined when it has none after all. */
  readonly take: (followed: Followed, limits: TurnLimits) => Turn | undefined
  readonly report: (group: string) => GroupReport
  readonly ended: (turn: Turn, end: TurnEnd) => void
  readonly answeredAll: (answer: FramesAnswer, reports: readonly GroupReport[]) => void
  /** It refuses connections, is silent, or refuses this agent: ask the assigners where its groups are now. */
  readonly failed: (why: string) => void
}

const requestsAtOnceMax = 3
const requestWireBytesMax = 8 * 1024 * 1024
const requestRawBytesMax = 16 * 1024 * 1024
const turnRawBytesMax = 4 * 1024 * 1024
const turnsPerRequestMax = 2000
/** Streams that become ready within this time of each other share a request. */
const lingerMs = 4

export class Lane {
  readonly #options: LaneOptions
  readonly #ready = new Set<Followed>()
  #underWay = 0
  #breaker: Breaker = closedBreaker
  #pausedUntilMs = 0
  #pauses = 0
  #creditBytes = requestRawBytesMax
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get healthy(): boolean {
    return this.#breaker.failures === 0 && this.#options.clock.monotonicMs() >= this.#pausedUntilMs
  }

  get underWay(): number {
    return this.#underWay
  }

  /** `followed` has a turn for this collector. */
  ready(followed: Followed): void {
    this.#ready.add(followed)
    if (this.#underWay === 0) this.#later(lingerMs)
    else this.#send()
  }

  drop(followed: Followed): void {
    this.#ready.delete(followed)
  }

  stop(): void {
    this.#timer?.timer.cancel()
    this.#ready.clear()
  }

  #later(delayMs: number): void {
    const { clock } = this.#options
    const atMs = clock.monotonicMs() + delayMs
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return
    this.#timer?.timer.cancel()
    const timer = clock.after(delayMs, () => {
      this.#timer = undefined
      this.#send()
    })
    this.#timer = { atMs, timer }
  }

  #send(): void {
    const { clock, background, url } = this.#options
    const nowMs = clock.monotonicMs()
    if (this.#ready.size === 0 || background.signal.aborted) return
    const waitMs = Math.max(this.#pausedUntilMs, this.#breaker.openUntilMs) - nowMs
    if (waitMs > 0) {
      this.#later(waitMs)
      return
    }
    const origin = url()
    if (origin === undefined) return
    const allowed = this.#pauses > 0 ? 1 : requestsAllowed(this.#breaker, nowMs, requestsAtOnceMax)
    while (this.#underWay < allowed) {
      const turns = this.#gather()
      if (turns.length === 0) return
      this.#underWay += 1
      background.run(`shipping to ${this.#options.collector}`, async (signal) => {
        try {
          await this.#request(origin, turns, signal)
        } finally {
          this.#underWay -= 1
          this.#send()
        }
      })
    }
  }

  #gather(): Turn[] {
    const turns: Turn[] = []
    let wire = 0
    let raw = 0
    const rawMax = Math.min(requestRawBytesMax, Math.max(this.#creditBytes, turnRawBytesMax / 4))
    for (const followed of [...this.#ready]) {
      if (turns.length >= turnsPerRequestMax || wire >= requestWireBytesMax || raw >= rawMax) break
      this.#ready.delete(followed)
      const rawBytesMax = Math.min(turnRawBytesMax, rawMax - raw)
      const turn = this.#options.take(followed, { rawBytesMax, wireBytesMax: requestWireBytesMax - wire })
      if (turn === undefined) continue
      turns.push(turn)
      wire += turn.wireBytes
      raw += turn.rawBytes
    }
    return turns
  }

  async #request(origin: string, turns: readonly Turn[], signal: AbortSignal): Promise<void> {
    const { agent, http, requestTimeoutMs, report } = this.#options
    const groups = [...new Set(turns.map((turn) => turn.followed.group))].map(report)
    const body = Buffer.concat([encodePreamble({ agent, groups }), ...turns.flatMap((turn) => turn.parts)])
    let answer: HttpAnswer
    try {
      answer = await http.request({
        method: 'PUT',
        url: `${origin}${framesPath}`,
        headers: { 'content-type': framesContentType },
        body,
        timeoutMs: requestTimeoutMs,
        signal,
      })
    } catch (thrown) {
      this.#broken(turns, thrown)
      return
    }
    if (answer.status === 200) this.#answered(turns, answer, groups)
    else this.#refused(turns, answer)
  }

  #answered(turns: readonly Turn[], answer: HttpAnswer, reports: readonly GroupReport[]): void {
    const parsed = this.#parse(answer, turns)
    if (parsed === undefined) {
      this.#broken(turns, new Error('its answer makes no sense'))
      return
    }
    this.#breaker = closedBreaker
    this.#pauses = 0
    this.#creditBytes = parsed.creditBytes
    let first = 0
    for (const turn of turns) {
      this.#options.ended(turn, { type: 'answered', answer: parsed, first })
      first += turn.frames.length
    }
    this.#options.answeredAll(parsed, reports)
  }

  #parse(answer: HttpAnswer, turns: readonly Turn[]): FramesAnswer | undefined {
    try {
      const parsed = parseJson(framesAnswerSchema, answer.body.toString('utf8'), 'the answer')
      const frames = turns.reduce((sum, turn) => sum + turn.frames.length, 0)
      if (parsed.results.length === frames) return parsed
      this.#options.log.warn('a collector answered for other frames than were sent', { collector: parsed.collector })
    } catch (thrown) {
      this.#options.log.warn('a collector answered nonsense', { reason: asError(thrown).message })
    }
    return undefined
  }

  /** 4xx, 429, 503, 507: refused before it was taken. Any other answer leaves open what became of it. */
  #refused(turns: readonly Turn[], answer: HttpAnswer): void {
    const { clock, random, log, collector } = this.#options
    const taken = answer.status < 400 || (answer.status >= 500 && answer.status !== 503 && answer.status !== 507)
    if (taken) {
      this.#broken(turns, new Error(`it answered ${answer.status}`))
      return
    }
    const told = retryAfterOf(answer)
    this.#pausedUntilMs = clock.monotonicMs() + pauseMs(told.retryAfterMs, this.#pauses, random.float())
    this.#pauses += 1
    const pressure = answer.status === 429 || answer.status === 503 || answer.status === 507
    const fields = { collector, status: answer.status, reason: told.message }
    if (pressure) log.debug('a collector pushes back', fields)
    else log.warn('a collector refused a request', fields)
    if (!pressure) this.#options.failed(told.message)
    for (const turn of turns) this.#options.ended(turn, { type: 'refused', untilMs: 0 })
  }

  #broken(turns: readonly Turn[], thrown: unknown): void {
    const { clock, random, log, collector, background } = this.#options
    if (background.signal.aborted) return
    const why = asError(thrown).message
    if (this.#breaker.failures === 0) log.warn('a collector does not answer', { collector, reason: why })
    this.#breaker = tripped(this.#breaker, clock.monotonicMs(), random.float())
    const neverSent = codeOf(thrown) === 'unreachable'
    for (const turn of turns)
      this.#options.ended(turn, neverSent ? { type: 'refused', untilMs: 0 } : { type: 'unanswered', why })
    this.#options.failed(why)
  }
}

function retryAfterOf(answer: HttpAnswer): { retryAfterMs: number | undefined; message: string } {
  const header = Number(answer.headers['retry-after'] ?? NaN)
  const fromHeader = Number.isFinite(header) && header >= 0 ? header * 1000 : undefined
  try {
    const { error } = parseJson(errorAnswerSchema, answer.body.toString('utf8'), 'the answer')
    return { retryAfterMs: error.retryAfterMs ?? fromHeader, message: error.message }
  } catch {
    return { retryAfterMs: fromHeader, message: `status ${answer.status}` } // a proxy's page, no answer of ours
  }
}
