// Reads blocks of the files that have something to read, one stream after the other in fair turns, and stops when the
// memory for unacknowledged bytes is used up: the files are the buffer.

import { crc32 } from 'node:zlib'
import { asError, type Clock, type Log } from '@catchment/runtime'
import { cutBlock, type Cut } from './decide/block.ts'
import type { FileIdentity } from './decide/identity.ts'
import { createFairness, dequeue, enqueue, nextToServe, served } from './decide/fairness.ts'
import type { Counters } from './counters.ts'
import type { Followed } from './followed.ts'
import type { HeldFile } from './held-file.ts'
import { limits } from './limits.ts'
import type { Loads } from './loads.ts'
import { Encoder } from './encoder.ts'
import { finish, prepare, prepareGap, type PreparedFrame } from './prepared-frame.ts'
import { seamBytes } from '@catchment/protocol'

export interface ReadingOptions {
  readonly clock: Clock
  readonly log: Log
  readonly loads: Loads
  readonly counters: Counters
  readonly partialFlushMs: number
  /** The file, held open; undefined when it cannot be had. */
  readonly hold: (followed: Followed) => HeldFile | undefined
  /** False while its collector takes nothing more. */
  readonly mayRead: (followed: Followed, heldBytes: number) => boolean
  readonly onFrame: (followed: Followed) => void
  /** The bytes before the offset are others: the file has been truncated and written anew. */
  readonly onChanged: (followed: Followed) => void
}

const { blockBytes, memoryBytesMax, aheadBytesMax } = limits
const readsAtOnceMax = 4
/** So little, and written so short a time ago, is read without the pool. */
const freshBytesMax = 64 * 1024
const freshMs = 1000
/** A block that cannot be read is tried again after this long; a file that cannot at all is a gap. */
const readRetryMs = 1000

export class Reading {
  readonly #options: ReadingOptions
  readonly #fairness: ReturnType<typeof createFairness>
  readonly #byStream = new Map<string, Followed>()
  readonly #encoder = new Encoder()
  readonly #buffers: Buffer[] = []
  /** Counts each stream's reads: one that compresses must not end the next one's. */
  readonly #reader = new WeakMap<Followed, number>()
  #held = 0
  #reads = 0
  #stopped = false

  constructor(options: ReadingOptions) {
    this.#options = options
    this.#fairness = createFairness(blockBytes)
  }

  get heldBytes(): number {
    return this.#held
  }

  /** There may be something to read, or room to read into. */
  wake(followed?: Followed): void {
    if (followed !== undefined && this.#wants(followed)) {
      this.#byStream.set(followed.stream, followed)
      enqueue(this.#fairness, followed.stream)
    }
    this.#serve()
  }

  /** The frame's memory is free again. */
  freed(bytes: number): void {
    this.#held -= bytes
  }

  /** Its frames will never be sent. */
  forget(followed: Followed): void {
    for (const frame of followed.frames) this.#held -= frame.heldBytes
    followed.frames = []
    dequeue(this.#fairness, followed.stream)
    this.#byStream.delete(followed.stream)
  }

  /** Nothing more is read; what is being compressed ends. */
  stop(): void {
    this.#stopped = true
    if (this.idle) void this.#encoder.close()
  }

  get idle(): boolean {
    return this.#reads === 0
  }

  #wants(followed: Followed): boolean {
    if (followed.lostTo !== undefined) return followed.readOffset < followed.lostTo
    const unread = followed.sizeBytes - followed.readOffset
    if (unread <= 0) return false
    const { partial } = followed
    if (partial === undefined || unread > partial.bytes) return true
    return this.#overdue(followed)
  }

  #overdue(followed: Followed): boolean {
    const sinceMs = followed.partial?.sinceMs ?? Infinity
    return this.#options.clock.monotonicMs() - sinceMs >= this.#options.partialFlushMs || followed.standing === 'cut'
  }

  #usable(stream: string): boolean {
    const followed = this.#byStream.get(stream)
    if (followed === undefined || followed.reading) return false
    const ahead = followed.readOffset - followed.sender.checkpoint
    return ahead < aheadBytesMax && this.#options.mayRead(followed, this.#held)
  }

  #serve(): void {
    while (!this.#stopped && this.#reads < readsAtOnceMax && this.#held + blockBytes <= memoryBytesMax) {
      const stream = nextToServe(this.#fairness, (id) => this.#usable(id))
      const followed = stream === undefined ? undefined : this.#byStream.get(stream)
      if (followed === undefined) return
      this.#start(followed)
    }
  }

  #start(followed: Followed): void {
    followed.reading = true
    this.#reads += 1
    this.#held += blockBytes
    const id = followed.stream
    const read = (this.#reader.get(followed) ?? 0) + 1
    this.#reader.set(followed, read)
    void this.#readOne(followed)
      .catch((thrown: unknown) => {
        this.#options.log.warn('cannot read', { path: followed.at, reason: asError(thrown).message })
        followed.partial = { bytes: Infinity, sinceMs: this.#options.clock.monotonicMs() + readRetryMs }
      })
      .finally(() => {
        this.#held -= blockBytes
        this.#reads -= 1
        if (this.#stopped && this.idle) void this.#encoder.close()
        if (followed.reading && this.#reader.get(followed) === read) followed.reading = false
        if (!this.#wants(followed)) {
          dequeue(this.#fairness, id)
          this.#byStream.delete(id)
        }
        this.#serve()
      })
  }

  async #readOne(followed: Followed): Promise<void> {
    const { clock } = this.#options
    const { lostTo, readOffset } = followed
    if (lostTo !== undefined) {
      const why = `the file ended before byte ${lostTo} could be read`
      const gap = { before: followed.mark, readAt: clock.now(), why }
      this.#push(followed, prepareGap(readOffset, lostTo, gap), Buffer.alloc(0))
      return
    }
    const file = this.#options.hold(followed)
    if (file === undefined) {
      followed.partial = { bytes: Infinity, sinceMs: clock.monotonicMs() }
      return
    }
    const buffer = this.#buffers.pop() ?? Encoder.memory(blockBytes + seamBytes)
    const { tail, identity } = followed
    const length = blockBytes + tail.length
    const fresh = this.#justAppended(followed)
    const from = readOffset - tail.length
    const bytes = await (fresh ? file.readCached(buffer, length, from) : file.read(buffer, length, from))
    const unchanged =
      bytes >= tail.length &&
      buffer.compare(tail, 0, tail.length, 0, tail.length) === 0 &&
      (readOffset > 0 || hasHead(identity, buffer.subarray(0, bytes)))
    // A look may have found meanwhile that the file holds another generation: then these bytes are not this stream's.
    if (followed.file !== file || followed.readOffset !== readOffset) this.#buffers.push(buffer)
    else if (!unchanged) {
      this.#buffers.push(buffer)
      this.#options.onChanged(followed)
    } else await this.#take(followed, buffer, buffer.subarray(tail.length, bytes))
  }

  #justAppended({ sizeBytes, readOffset, grewAtMs }: Followed): boolean {
    return sizeBytes - readOffset <= freshBytesMax && this.#options.clock.monotonicMs() - grewAtMs < freshMs
  }

  async #take(followed: Followed, buffer: Buffer, data: Buffer): Promise<void> {
    const { clock } = this.#options
    const cut = cutBlock(data, {
      atStart: followed.readOffset === 0,
      inHole: followed.inHole,
      full: data.length >= blockBytes,
      overdue: followed.partial !== undefined && followed.partial.bytes === data.length && this.#overdue(followed),
    })
    followed.sizeBytes = Math.max(followed.sizeBytes, followed.readOffset + data.length)
    const taken = this.#advance(followed, data, cut)
    if (taken !== undefined) {
      followed.reading = false // the next block may be read while this one is compressed
      this.#serve()
      await this.#compress(followed, taken.frame, taken.data)
    } else if (cut.type === 'wait') followed.partial = { bytes: cut.partialBytes, sinceMs: clock.monotonicMs() }
    this.#buffers.push(buffer)
  }

  async #compress(followed: Followed, frame: PreparedFrame, raw: Buffer): Promise<void> {
    const encoded = await this.#encoder.encode(raw)
    const heldBytes = frame.heldBytes
    finish(frame, encoded)
    if (followed.frames.includes(frame)) this.#held += frame.heldBytes - heldBytes // else forgotten meanwhile
    this.#options.loads.read(followed.group, raw.length, frame.lines)
    this.#options.onFrame(followed)
  }

  /** Moves the offset past what is taken. Returns what is to be compressed. */
  #advance(followed: Followed, data: Buffer, cut: Cut): { frame: PreparedFrame; data: Buffer } | undefined {
    const { readOffset, tail } = followed
    const readAt = this.#options.clock.now()
    switch (cut.type) {
      case 'wait':
        return undefined
      case 'hole': {
        const place = { before: followed.mark, readAt, why: `a run of NUL bytes: a hole that a truncation left` }
        this.#push(followed, prepareGap(readOffset, readOffset + cut.bytes, place), Buffer.alloc(0))
        followed.inHole = true
        this.#options.counters.add('hole_bytes', cut.bytes)
        return undefined
      }
      case 'take': {
        const raw = data.subarray(0, cut.bytes)
        const next = prepare(raw, { from: readOffset, tail, partialLine: cut.partialLine, readAt })
        followed.inHole = false
        this.#held += next.frame.heldBytes
        this.#moved(followed, next.frame, next.tail)
        return { frame: next.frame, data: raw }
      }
    }
  }

  #push(followed: Followed, frame: PreparedFrame, tail: Buffer): void {
    this.#moved(followed, frame, tail)
    this.#options.onFrame(followed)
  }

  #moved(followed: Followed, frame: PreparedFrame, tail: Buffer): void {
    followed.frames.push(frame)
    followed.readOffset = frame.to
    followed.tail = tail
    followed.partial = undefined
    served(this.#fairness, followed.stream, frame.to - frame.from)
  }
}

/** Where a file begins no bytes lie before: there its known head tells. */
function hasHead({ headBytes, headCrc }: FileIdentity, data: Buffer): boolean {
  return data.length >= headBytes && crc32(data.subarray(0, headBytes)) === headCrc
}
