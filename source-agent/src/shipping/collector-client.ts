// One collector, as this agent talks to it: streams that have a batch ready, requests under way, and how it has been
// answering. Each collector has a client of its own, so that a dead one holds up no logs that go elsewhere.

import { EventEmitter } from 'node:events'
import {
  encodePreamble,
  errorAnswerSchema,
  framesAnswerSchema,
  framesContentType,
  framesPath,
  parseJson,
  type AgentIdentity,
  type FrameResult,
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
import { closedBreaker, pauseMs, requestsAllowed, tripped, type Breaker } from '../decide/routing.ts'
import { nextBatch } from '../decide/sender.ts'
import type { Loads } from '../metering/loads.ts'
import type { Resolver } from '../routing/resolver.ts'
import type { OutgoingStream } from '../streams/outgoing-stream.ts'
import { takeBatch, type BatchLimits, type StreamBatch } from './stream-batch.ts'

/** What came of a batch: one result per frame, or why there are none. `refused`: nothing of it can be on the collector. */
export type BatchOutcome =
  | { readonly type: 'answered'; readonly results: readonly FrameResult[] }
  | { readonly type: 'refused'; readonly untilMs: number }
  | { readonly type: 'unanswered'; readonly why: string }

export interface CollectorClientOptions {
  readonly collector: string
  readonly resolver: Resolver
  readonly loads: Loads
  readonly agent: AgentIdentity
  readonly http: HttpClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly background: Background
  readonly requestTimeoutMs: number
}

export interface CollectorClientEvents {
  /** A batch has left and come to an end. */
  ended: [batch: StreamBatch, outcome: BatchOutcome]
  /** A request was answered; its batches have ended. */
  answered: [answer: FramesAnswer, groups: readonly string[]]
  /** The stream was ready, but its sender wants no batch to go to this collector now. */
  untaken: [stream: OutgoingStream]
}

const requestsAtOnceMax = 3
const requestWireBytesMax = 8 * 1024 * 1024
const requestRawBytesMax = 16 * 1024 * 1024
const batchRawBytesMax = 4 * 1024 * 1024
const batchesPerRequestMax = 2000
/** Streams that become ready within this time of each other share a request. */
const lingerMs = 4

export class CollectorClient {
  readonly events = new EventEmitter<CollectorClientEvents>()
  readonly #options: CollectorClientOptions
  readonly #ready = new Set<OutgoingStream>()
  #underWay = 0
  #breaker: Breaker = closedBreaker
  #pausedUntilMs = 0
  #pauses = 0
  #creditBytes = requestRawBytesMax
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined

  constructor(options: CollectorClientOptions) {
    this.#options = options
  }

  get healthy(): boolean {
    return this.#breaker.failures === 0 && this.#options.clock.monotonicMs() >= this.#pausedUntilMs
  }

  get underWay(): number {
    return this.#underWay
  }

  /** `stream` has a batch for this collector. */
  ready(stream: OutgoingStream): void {
    this.#ready.add(stream)
    if (this.#underWay === 0) this.#later(lingerMs)
    else this.#send()
  }

  drop(stream: OutgoingStream): void {
    this.#ready.delete(stream)
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
    const { clock, background, resolver, collector } = this.#options
    const nowMs = clock.monotonicMs()
    if (this.#ready.size === 0 || background.signal.aborted) return
    const waitMs = Math.max(this.#pausedUntilMs, this.#breaker.openUntilMs) - nowMs
    if (waitMs > 0) {
      this.#later(waitMs)
      return
    }
    const origin = resolver.urlOf(collector)
    if (origin === undefined) return
    const allowed = this.#pauses > 0 ? 1 : requestsAllowed(this.#breaker, nowMs, requestsAtOnceMax)
    while (this.#underWay < allowed) {
      const batches = this.#gather()
      if (batches.length === 0) return
      this.#underWay += 1
      background.run(`shipping to ${collector}`, async (signal) => {
        try {
          await this.#request(origin, batches, signal)
        } finally {
          this.#underWay -= 1
          this.#send()
        }
      })
    }
  }

  #gather(): StreamBatch[] {
    const batches: StreamBatch[] = []
    let wire = 0
    let raw = 0
    const rawMax = Math.min(requestRawBytesMax, Math.max(this.#creditBytes, batchRawBytesMax / 4))
    for (const stream of [...this.#ready]) {
      if (batches.length >= batchesPerRequestMax || wire >= requestWireBytesMax || raw >= rawMax) break
      this.#ready.delete(stream)
      const rawBytesMax = Math.min(batchRawBytesMax, rawMax - raw)
      const batch = this.#take(stream, { rawBytesMax, wireBytesMax: requestWireBytesMax - wire })
      if (batch === undefined) continue
      batches.push(batch)
      wire += batch.wireBytes
      raw += batch.rawBytes
    }
    return batches
  }

  /** The stream's next batch, marked as sent; undefined when it has none after all. */
  #take(stream: OutgoingStream, limits: BatchLimits): StreamBatch | undefined {
    const { clock, collector, agent, log } = this.#options
    const next = nextBatch(stream.sender, clock.monotonicMs())
    if (next.type !== 'send' || next.collector !== collector) {
      this.events.emit('untaken', stream)
      return undefined
    }
    try {
      const batch = takeBatch(stream, next, agent.id, limits)
      if (batch !== undefined) stream.sent(batch.frames)
      return batch
    } catch (thrown) {
      // One stream whose frames cannot be made (a path of strange bytes, say) must not stop the others.
      log.error('cannot make frames', { path: stream.path, reason: asError(thrown).message })
      return undefined
    }
  }

  async #request(origin: string, batches: readonly StreamBatch[], signal: AbortSignal): Promise<void> {
    const { agent, http, requestTimeoutMs, loads, resolver } = this.#options
    const reports = [...new Set(batches.map(({ stream }) => stream.group))].map((group) =>
      loads.report(group, resolver.epochOf(group)),
    )
    const body = Buffer.concat([encodePreamble({ agent, groups: reports }), ...batches.flatMap((batch) => batch.parts)])
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
      this.#broken(batches, thrown)
      return
    }
    if (answer.status === 200) this.#answered(batches, answer, reports)
    else this.#refused(batches, answer)
  }

  #answered(batches: readonly StreamBatch[], answer: HttpAnswer, reports: readonly GroupReport[]): void {
    const parsed = this.#parse(answer, batches)
    if (parsed === undefined) {
      this.#broken(batches, new Error('its answer makes no sense'))
      return
    }
    this.#breaker = closedBreaker
    this.#pauses = 0
    this.#creditBytes = parsed.creditBytes
    let first = 0
    for (const batch of batches) {
      const results = parsed.results.slice(first, first + batch.frames.length)
      this.events.emit('ended', batch, { type: 'answered', results })
      first += batch.frames.length
    }
    for (const report of reports) this.#options.loads.reported(report)
    this.events.emit(
      'answered',
      parsed,
      reports.map(({ group }) => group),
    )
  }

  #parse(answer: HttpAnswer, batches: readonly StreamBatch[]): FramesAnswer | undefined {
    try {
      const parsed = parseJson(framesAnswerSchema, answer.body.toString('utf8'), 'the answer')
      const frames = batches.reduce((sum, batch) => sum + batch.frames.length, 0)
      if (parsed.results.length === frames) return parsed
      this.#options.log.warn('a collector answered for other frames than were sent', { collector: parsed.collector })
    } catch (thrown) {
      this.#options.log.warn('a collector answered nonsense', { reason: asError(thrown).message })
    }
    return undefined
  }

  /** 4xx, 429, 503, 507: refused before it was taken. Any other answer leaves open what became of it. */
  #refused(batches: readonly StreamBatch[], answer: HttpAnswer): void {
    const { clock, random, log, collector, resolver } = this.#options
    const taken = answer.status < 400 || (answer.status >= 500 && answer.status !== 503 && answer.status !== 507)
    if (taken) {
      this.#broken(batches, new Error(`it answered ${answer.status}`))
      return
    }
    const asked = retryAfterOf(answer)
    this.#pausedUntilMs = clock.monotonicMs() + pauseMs(asked.retryAfterMs, this.#pauses, random.float())
    this.#pauses += 1
    const pressure = answer.status === 429 || answer.status === 503 || answer.status === 507
    const fields = { collector, status: answer.status, reason: asked.message }
    if (pressure) log.debug('a collector pushes back', fields)
    else log.warn('a collector refused a request', fields)
    if (!pressure) resolver.wantAllOf(collector)
    for (const batch of batches) this.events.emit('ended', batch, { type: 'refused', untilMs: 0 })
  }

  #broken(batches: readonly StreamBatch[], thrown: unknown): void {
    const { clock, random, log, collector, background, resolver } = this.#options
    if (background.signal.aborted) return
    const why = asError(thrown).message
    if (this.#breaker.failures === 0) log.warn('a collector does not answer', { collector, reason: why })
    this.#breaker = tripped(this.#breaker, clock.monotonicMs(), random.float())
    const neverSent = codeOf(thrown) === 'unreachable'
    for (const batch of batches)
      this.events.emit('ended', batch, neverSent ? { type: 'refused', untilMs: 0 } : { type: 'unanswered', why })
    resolver.wantAllOf(collector)
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
