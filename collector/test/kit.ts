// The vocabulary of the collector's tests: frames of a stream whose every byte is known, and what sends them.

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, zstdCompressSync } from 'node:zlib'
import {
  encodeFrameHeader,
  encodePreamble,
  framesAnswerSchema,
  framesContentType,
  framesPath,
  seamCrc,
  type FrameFields,
  type FramesAnswer,
  type Preamble,
} from '@catchment/protocol'
import { patienceMs } from '@catchment/testing'
import { createHttpClient, createLog, type HttpAnswer, type HttpClient, type Log } from '@catchment/runtime'

export const streamA = 'a'.repeat(32)
export const streamB = 'b'.repeat(32)

export interface FrameWish {
  readonly stream?: string
  readonly from: number
  readonly to: number
  readonly newRange?: boolean
  readonly group?: string
  readonly path?: string
  readonly plain?: boolean
  readonly gap?: string
}

/** The bytes [from, to) of a stream: every 16 bytes show the stream and their place in it. */
export function streamBytes(stream: string, from: number, to: number): Buffer {
  const blocks: Buffer[] = []
  for (let block = Math.floor(from / 16); block * 16 < to; block += 1)
    blocks.push(createHash('md5').update(`${stream} ${block}`).digest())
  const first = Math.floor(from / 16) * 16
  return Buffer.concat(blocks).subarray(from - first, to - first)
}

/** A frame as an agent would send it. */
export function frame(wish: FrameWish): Buffer {
  const { stream = streamA, from, to, gap } = wish
  const raw = gap === undefined ? streamBytes(stream, from, to) : Buffer.alloc(0)
  const codec = wish.plain === true || gap !== undefined ? 'none' : 'zstd'
  const payload = gap !== undefined ? Buffer.from(gap) : codec === 'none' ? raw : zstdCompressSync(raw)
  const fields: FrameFields = {
    stream,
    start: from,
    rawBytes: to - from,
    codec,
    lines: 1,
    firstReadAt: 1,
    lastReadAt: 2,
    rawCrc: gap === undefined ? crc32(raw) : 0,
    beforeCrc: seamCrc(streamBytes(stream, Math.max(0, from - 64), from)),
    afterCrc: gap === undefined ? seamCrc(streamBytes(stream, Math.max(0, to - 64), to)) : 0,
    newRange: wish.newRange ?? from === 0,
    partialLine: false,
    gap: gap !== undefined,
    unconfirmed: [],
    group: wish.group ?? 'web',
    source: 'host-1',
    path: wish.path ?? '/var/log/app.log',
  }
  return Buffer.concat([encodeFrameHeader(fields, payload), payload])
}

export interface RequestWish {
  readonly agent?: Partial<Preamble['agent']>
  readonly epoch?: number
  readonly groups?: readonly string[]
  readonly offeredBytes?: number
}

export function requestBody(frames: readonly Buffer[], wish: RequestWish = {}): Buffer {
  const groups = (wish.groups ?? ['web']).map((group) => ({
    group,
    epoch: wish.epoch ?? 0,
    offeredBytes: wish.offeredBytes ?? 100,
    offeredRecords: 1,
    overMs: 100,
    backlogBytes: 0,
  }))
  const agent = { id: 'agent-1', starts: 1, incarnation: 'first', ...wish.agent }
  return Buffer.concat([encodePreamble({ agent, groups }), ...frames])
}

export class FrameSender {
  readonly #client: HttpClient = createHttpClient({ connectionsPerOrigin: 16, connectTimeoutMs: 2000 })
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  put(body: Buffer, timeoutMs = 10_000): Promise<HttpAnswer> {
    const headers = { 'content-type': framesContentType }
    return this.#client.request({ method: 'PUT', url: this.#url + framesPath, headers, body, timeoutMs })
  }

  /** Sends frames and expects to be answered with results. */
  async send(frames: readonly Buffer[], wish: RequestWish = {}): Promise<FramesAnswer> {
    const answer = await this.put(requestBody(frames, wish))
    if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${answer.body.toString()}`)
    return framesAnswerSchema.parse(JSON.parse(answer.body.toString()))
  }

  async get(path: string): Promise<HttpAnswer> {
    return this.#client.request({ method: 'GET', url: this.#url + path, timeoutMs: 5000 })
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

export const quiet: Log = createLog({ program: 'test', level: 'error', destination: { write: () => undefined } })

/** A log whose entries can be looked at. */
export function listeningLog(): { log: Log; lines: string[] } {
  const lines: string[] = []
  return {
    lines,
    log: createLog({ program: 'test', level: 'debug', destination: { write: (line) => lines.push(line) } }),
  }
}

/** A folder of the test's own, and its removal. */
export async function temporary(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'collector-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** Waits for a condition that some event will bring about. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = patienceMs,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export function place(stream: string): string {
  return join('web', 'host-1', 'var', 'log', `app.log~${stream}`)
}
