// An assigner and collectors in process, over real HTTP: they keep ranges as the protocol says, so that a test can ask
// what became of every byte. Faults are switched on by hand.

import { zstdDecompressSync } from 'node:zlib'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  decodeFrame,
  decodePreamble,
  resolveRequestSchema,
  seamCrc,
  type FrameHeader,
  type FrameResult,
  type GroupReport,
} from '@catchment/protocol'
import { createLog, errorBody, startHttpServer, type HttpServer } from '@catchment/runtime'

const quiet = createLog({ program: 'fake', level: 'error', destination: { write: () => undefined } })

interface Held {
  from: number
  to: number
  afterCrc: number
  parts: { from: number; bytes: Buffer | undefined }[]
}

export interface HeldStream {
  readonly stream: string
  readonly path: string
  readonly group: string
  readonly ranges: Held[]
  readonly unconfirmed: { from: number; to: number; at: string }[]
}

export type Fault =
  'none' | 'drop-answer' | 'drop-request' | 'push-back' | 'nonsense' | 'misdirect' | 'behind' | 'diverge' | 'silence'

export class FakeCollector {
  readonly id: string
  readonly streams = new Map<string, HeldStream>()
  readonly problems: string[] = []
  readonly reports: GroupReport[] = []
  fault: () => Fault = () => 'none'
  delayMs = 0
  /** Whether the bytes are kept and looked at, or only counted. */
  keeps = true
  requests = 0
  duplicateBytes = 0
  storedBytes = 0
  #server: HttpServer | undefined
  readonly #silenced = new Set<{ destroy(): unknown }>()
  #starts = 0
  onStored: () => void = () => undefined

  constructor(id: string) {
    this.id = id
  }

  get url(): string {
    return this.#server?.url ?? 'http://127.0.0.1:1'
  }

  async start(port = 0): Promise<void> {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#handle(request, response)
    }
    const rawRoutes = [{ method: 'PUT', path: '/v1/frames', handle }]
    this.#server = await startHttpServer({
      listen: `127.0.0.1:${port}`,
      routes: [],
      rawRoutes,
      log: quiet,
      insecure: false,
    })
  }

  async stop(): Promise<void> {
    for (const socket of this.#silenced) socket.destroy()
    await this.#server?.close()
    this.#server = undefined
  }

  get port(): number {
    return this.#server?.port ?? 0
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
    this.requests += 1
    const fault = this.fault()
    if (fault === 'drop-request') {
      request.socket.destroy()
      return
    }
    if (fault === 'silence') {
      this.#silenced.add(request.socket)
      return
    }
    if (fault === 'push-back') {
      response.writeHead(429, { 'content-type': 'application/json' })
      response.end(JSON.stringify(errorBody('busy', 'later', 30)))
      return
    }
    if (fault === 'nonsense') {
      response.end('{"results":[{"stream":17}]}')
      return
    }
    const results = this.#take(Buffer.concat(chunks), fault)
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    if (fault === 'drop-answer') request.socket.destroy()
    else {
      const answer = { collector: this.id, epoch: 1, stale: false, creditBytes: 64 * 1024 * 1024, results }
      response.end(JSON.stringify(answer))
    }
    this.onStored()
  }

  #take(body: Buffer, fault: Fault): FrameResult[] {
    const { preamble, framesOffset } = decodePreamble(body)
    if (preamble.agent.starts < this.#starts) this.problems.push('a lower start count')
    this.#starts = preamble.agent.starts
    this.reports.push(...preamble.groups)
    const results: FrameResult[] = []
    for (let at = framesOffset; at < body.length;) {
      const frame = decodeFrame(body, at)
      at = frame.end
      const { stream, start, group } = frame.header
      const payload = body.subarray(frame.payloadOffset, frame.end)
      if (fault === 'misdirect') results.push({ stream, start, outcome: 'misdirected', status: 421, group, epoch: 1 })
      else if (fault === 'behind') results.push({ stream, start, outcome: 'behind', status: 503, retryAfterMs: 20 })
      else if (fault === 'diverge') results.push({ stream, start, outcome: 'diverged', status: 422 })
      else results.push(this.#frame(frame.header, payload))
    }
    return results
  }

  #frame(header: FrameHeader, payload: Buffer): FrameResult {
    const { stream, start, rawBytes } = header
    const end = start + rawBytes
    const held = this.streams.get(stream) ?? {
      ...{ stream, path: header.path, group: header.group, ranges: [], unconfirmed: [] },
    }
    const base = { stream, start }
    const inside = held.ranges.find((range) => range.from <= start && end <= range.to)
    if (inside !== undefined) {
      this.duplicateBytes += rawBytes
      return { ...base, outcome: 'duplicate', status: 200, durable: rangeOf(inside) }
    }
    const over = held.ranges.find((range) => range.from < end && start < range.to)
    if (over !== undefined) {
      const boundary = start < over.from ? over.from : over.to
      const around = start < over.from ? undefined : rangeOf(over)
      return { ...base, outcome: 'overlap', status: 409, boundary, ...(around !== undefined && { durable: around }) }
    }
    const range = held.ranges.find(({ to }) => to === start)
    if (range === undefined && !header.newRange) {
      const newest = held.ranges.at(-1)
      return { ...base, outcome: 'expected', status: 409, ...(newest !== undefined && { expected: newest.to }) }
    }
    if (range !== undefined && seamDiffers(header, range))
      return { ...base, outcome: 'diverged', status: 422, durable: rangeOf(range) }
    return { ...base, outcome: 'stored', status: 200, durable: rangeOf(this.#store(held, header, { payload, range })) }
  }

  #store(held: HeldStream, header: FrameHeader, given: { payload: Buffer; range: Held | undefined }): Held {
    const { start, rawBytes, gap } = header
    const { payload } = given
    const raw = gap || !this.keeps ? undefined : header.codec === 'zstd' ? zstdDecompressSync(payload) : payload
    if (raw !== undefined && raw.length !== rawBytes) this.problems.push(`raw length ${raw.length} ≠ ${rawBytes}`)
    if (raw !== undefined && rawBytes >= 64 && seamCrc(raw) !== header.afterCrc) this.problems.push('afterCrc is wrong')
    const range = given.range ?? { from: start, to: start, afterCrc: 0, parts: [] }
    if (given.range === undefined) held.ranges.push(range)
    range.to = start + rawBytes
    range.afterCrc = header.afterCrc
    range.parts.push({ from: start, bytes: raw })
    held.unconfirmed.push(...header.unconfirmed)
    this.storedBytes += rawBytes
    this.streams.set(header.stream, held)
    return range
  }
}

export class FakeAssigner {
  readonly routes = new Map<string, { collector: FakeCollector; epoch: number }>()
  byDefault: FakeCollector | undefined
  asked = 0
  /** What was asked last of each group. */
  readonly epochs = new Map<string, number | undefined>()
  nonsense = false
  #server: HttpServer | undefined
  readonly #changed: (() => void)[] = []

  get url(): string {
    return this.#server?.url ?? 'http://127.0.0.1:1'
  }

  async start(): Promise<void> {
    const routes = [
      {
        method: 'POST' as const,
        path: '/v1/resolve',
        handle: async ({ body, signal }: { body: unknown; signal: AbortSignal }) => ({
          json: await this.#resolve(body, signal),
        }),
      },
    ]
    this.#server = await startHttpServer({ listen: '127.0.0.1:0', routes, log: quiet, insecure: false })
  }

  async stop(): Promise<void> {
    this.move(() => undefined)
    await this.#server?.close()
  }

  /** Changes the assignment; those who wait are answered. */
  move(change: () => void): void {
    change()
    for (const wake of this.#changed.splice(0)) wake()
  }

  async #resolve(body: unknown, signal: AbortSignal): Promise<unknown> {
    this.asked += 1
    if (this.nonsense) return { assigned: 'all of them' }
    const request = resolveRequestSchema.parse(body)
    for (const { group, epoch } of request.groups) this.epochs.set(group, epoch)
    const refused = request.groups.some(({ refusedBy, refusedUrl, group }) => {
      const served = this.#of(group)?.collector
      return refusedBy === served?.id && (refusedUrl === undefined || refusedUrl === served?.url)
    })
    if (refused && request.waitMs > 0)
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve)
        signal.addEventListener('abort', () => {
          resolve()
        })
      })
    const assigned = request.groups.flatMap(({ group }) => {
      const route = this.#of(group)
      if (route === undefined) return []
      return [{ group, collector: route.collector.id, url: route.collector.url, epoch: route.epoch }]
    })
    return { epoch: 1, ageMs: 0, assigned, pending: [] }
  }

  #of(group: string): { collector: FakeCollector; epoch: number } | undefined {
    const route = this.routes.get(group)
    return route ?? (this.byDefault === undefined ? undefined : { collector: this.byDefault, epoch: 1 })
  }
}

function seamDiffers({ beforeCrc, gap }: FrameHeader, range: Held): boolean {
  return !gap && beforeCrc !== range.afterCrc
}

function rangeOf({ from, to }: Held): { from: number; to: number } {
  return { from, to }
}

/** What the collectors hold of `stream` together, gaps as NULs; undefined where bytes between are nowhere. */
export function contentOf(stream: string, collectors: readonly FakeCollector[], start = 0): Buffer | undefined {
  const parts = collectors.flatMap((collector) => collector.streams.get(stream)?.ranges ?? [])
  const end = Math.max(start, ...parts.map(({ to }) => to))
  const bytes = Buffer.alloc(end - start)
  let covered = start
  for (const range of parts.sort((a, b) => a.from - b.from)) {
    if (range.from > covered) return undefined
    covered = Math.max(covered, range.to)
    for (const part of range.parts) part.bytes?.copy(bytes, part.from - start)
  }
  return bytes
}
