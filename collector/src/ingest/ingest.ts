// PUT /v1/frames. Admission from the headers, before the body is read; then the body, its preamble, every frame's checks;
// then ranges, segments, fdatasync, and one answer with a result per frame. Whatever a client sends, the worst that
// happens is that its own request is refused.

import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  decodeFrameHeader,
  decodePreamble,
  framesPath,
  ProtocolError,
  type DecodedFrame,
  type FrameResult,
  type FramesAnswer,
  type GroupReport,
  type Preamble,
} from '@catchment/protocol'
import {
  asError,
  CatchmentError,
  errorBody,
  type Clock,
  type Log,
  type Metrics,
  type RawRoute,
} from '@catchment/runtime'
import { crc32 } from 'node:zlib'
import type { Assignment } from '../cluster/assignment.ts'
import { admit, credit, inFlightBytesMax, type Admission } from '../decide/admission.ts'
import { AgentRegister } from '../decide/agents.ts'
import type { LoadMeter } from '../decide/load.ts'
import { routeGroup } from '../decide/routing.ts'
import { discard, readBody } from './request-body.ts'
import { noSpaceRetryMs, type Store } from '../segments/store.ts'

/** A body that has not arrived whole by then is cut off, and its memory freed. */
export const bodyTimeoutMs = 30_000

export interface IngestOptions {
  readonly id: string
  readonly store: Pick<Store, 'put' | 'dataBytes'>
  readonly assignment: Assignment
  readonly load: LoadMeter
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly dataBytesMax: number
  readonly inFlightBytesMax?: number
  readonly bodyTimeoutMs?: number
}

interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly retryAfterMs?: number | undefined
}

export class Ingest {
  readonly #options: IngestOptions
  readonly #agents = new AgentRegister()
  readonly #requests
  readonly #refused
  readonly #latency
  #inFlightBytes = 0
  #noSpaceUntilMs = -Infinity
  #open = false

  constructor(options: IngestOptions) {
    this.#options = options
    const { metrics } = options
    this.#requests = metrics.counter('requests_total', 'requests for frames that were answered with results')
    this.#refused = metrics.counter('requests_refused_total', 'requests for frames that were refused whole')
    this.#latency = metrics.histogram(
      'ack_seconds',
      'from the last byte of a request to its answer',
      [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
    )
    metrics.gauge('in_flight_bytes', 'request bytes in memory', () => this.#inFlightBytes)
  }

  get route(): RawRoute {
    return {
      method: 'PUT',
      path: framesPath,
      handle: (request, response) => {
        void this.#handle(request, response)
      },
    }
  }

  /** Whether requests are taken; before the collector has joined and while it stops they are answered 503. */
  set open(open: boolean) {
    this.#open = open
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, log } = this.#options
    const admitted = admit(request.headers['content-length'], this.#admission(), clock.monotonicMs())
    if (admitted.kind === 'refuse') {
      this.#refuse(response, admitted)
      discard(request, response, clock)
      return
    }
    this.#inFlightBytes += admitted.bytes
    try {
      const timeoutMs = this.#options.bodyTimeoutMs ?? bodyTimeoutMs
      const body = await readBody(request, { bytes: admitted.bytes, timeoutMs, clock })
      const startedMs = clock.monotonicMs()
      const answer = await this.#take(body)
      if ('status' in answer) this.#refuse(response, answer)
      else {
        this.#requests.add()
        this.#latency.observe((clock.monotonicMs() - startedMs) / 1000)
        send(response, 200, answer)
      }
    } catch (thrown) {
      const refusal = refusalFor(asError(thrown))
      if (refusal.status === 500) log.error('a request for frames failed', { reason: asError(thrown).stack })
      if (refusal.status === 408) response.setHeader('connection', 'close').once('finish', () => request.destroy())
      this.#refuse(response, refusal)
    } finally {
      this.#inFlightBytes -= admitted.bytes
    }
  }

  #admission(): Admission {
    return {
      inFlightBytes: this.#inFlightBytes,
      inFlightBytesMax: this.#options.inFlightBytesMax ?? inFlightBytesMax,
      dataBytes: this.#options.store.dataBytes,
      dataBytesMax: this.#options.dataBytesMax,
      noSpaceUntilMs: this.#noSpaceUntilMs,
      open: this.#open,
    }
  }

  async #take(body: Buffer): Promise<FramesAnswer | Refusal> {
    const { preamble, framesOffset } = decodePreamble(body)
    if (!this.#agents.accepts(preamble.agent))
      return {
        status: 403,
        code: 'agent-superseded',
        message: `another agent uses the id ${preamble.agent.id}: a later start of it has sent to this collector`,
      }
    const frames = decodeAll(body, framesOffset)
    const reports = new Map(preamble.groups.map((report) => [report.group, report]))
    await this.#catchUp(frames, reports)
    this.#measure(preamble)
    const results = await this.#results(body, frames, reports)
    if (results.some(({ outcome }) => outcome === 'no-space'))
      this.#noSpaceUntilMs = this.#options.clock.monotonicMs() + noSpaceRetryMs
    const { id, assignment } = this.#options
    const creditBytes = credit(this.#admission())
    return { collector: id, epoch: assignment.list.epoch, stale: assignment.stale, creditBytes, results }
  }

  /** Reads this collector's list again when an agent quotes a newer one. */
  async #catchUp(frames: readonly DecodedFrame[], reports: ReadonlyMap<string, GroupReport>): Promise<void> {
    const { assignment } = this.#options
    const newest = frames.reduce((epoch, { header }) => Math.max(epoch, reports.get(header.group)?.epoch ?? 0), 0)
    if (newest > assignment.list.epoch && !assignment.stale) await assignment.refresh()
  }

  #measure({ agent, groups }: Preamble): void {
    const { assignment, load, clock } = this.#options
    for (const report of groups) {
      const route = routeGroup(assignment.list, report.group, 0)
      if (route.kind === 'served') load.offer(agent.id, report, clock.monotonicMs())
    }
  }

  async #results(
    body: Buffer,
    frames: readonly DecodedFrame[],
    reports: ReadonlyMap<string, GroupReport>,
  ): Promise<FrameResult[]> {
    const refused = frames.map((frame) => this.#refusal(body, frame, reports.get(frame.header.group)?.epoch ?? 0))
    const taken = frames.filter((_, index) => refused[index] === undefined)
    const results = (await this.#options.store.put(body, taken)).values()
    return refused.map((result) => {
      const next = result ?? results.next().value
      if (next === undefined) throw new Error('the store answers every frame')
      return next
    })
  }

  /** Why a frame is not taken, apart from its range; undefined when it is. */
  #refusal(body: Buffer, frame: DecodedFrame, quotedEpoch: number): FrameResult | undefined {
    const { stream, start, group, encodedCrc } = frame.header
    const base = { stream, start }
    if (crc32(body.subarray(frame.payloadOffset, frame.end)) !== encodedCrc)
      return { ...base, outcome: 'corrupt', status: 422 }
    const { assignment } = this.#options
    const route = routeGroup(assignment.list, group, quotedEpoch)
    switch (route.kind) {
      case 'served':
        return undefined
      case 'refresh':
        // cut off from ZooKeeper, it goes on with the groups that it last knew
        if (route.served && assignment.stale) return undefined
        return { ...base, outcome: 'behind', status: 503, retryAfterMs: noSpaceRetryMs }
      case 'elsewhere': {
        const { epoch, to } = route
        return { ...base, outcome: 'misdirected', status: 421, group, epoch, ...(to !== undefined && { to }) }
      }
    }
  }

  #refuse(response: ServerResponse, { status, code, message, retryAfterMs }: Refusal): void {
    this.#refused.add()
    if (response.headersSent || response.destroyed) return
    if (retryAfterMs !== undefined)
      response.setHeader('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))))
    send(response, status, errorBody(code, message, retryAfterMs))
  }
}

/** Every frame of the body; throws ProtocolError unless they fill it exactly. Payloads are not looked at yet. */
function decodeAll(body: Buffer, framesOffset: number): DecodedFrame[] {
  const frames: DecodedFrame[] = []
  let offset = framesOffset
  while (offset < body.length) {
    const frame = decodeFrameHeader(body, offset)
    if (frame.end > body.length)
      throw new ProtocolError(
        'truncated',
        `the frame at byte ${offset} ends ${frame.end - body.length} bytes past the body`,
      )
    frames.push(frame)
    offset = frame.end
  }
  return frames
}

function refusalFor(error: Error): Refusal {
  if (error instanceof ProtocolError) return { status: 400, code: error.code, message: error.message }
  if (error instanceof CatchmentError && error.code === 'slow-client')
    return { status: 408, code: error.code, message: error.message }
  if (error instanceof CatchmentError && error.code === 'cut-body')
    return { status: 400, code: error.code, message: error.message }
  if (error instanceof CatchmentError && error.code === 'disk-failed')
    return { status: 503, code: error.code, message: error.message, retryAfterMs: noSpaceRetryMs }
  return { status: 500, code: 'internal', message: error.message }
}

function send(response: ServerResponse, status: number, value: unknown): void {
  if (response.destroyed) return
  const json = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': json.length })
  response.end(json)
}
