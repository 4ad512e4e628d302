// Reads blocks of the files that have something to read, one stream after the other in fair turns, and stops when the
// memory for unacknowledged bytes is used up: the files are the buffer. What is read goes as frames into the queue of the
// stream, and shipping is poked.

import { EventEmitter } from 'node:events'
import { crc32 } from 'node:zlib'
import { seamBytes } from '@catchment/protocol'
import { asError, type Clock, type Log } from '@catchment/runtime'
import { cutBlock, type BlockCut } from '../decide/block.ts'
import { createFairness, dequeue, enqueue, nextToServe, served } from '../decide/fairness.ts'
import type { FileIdentity } from '../decide/identity.ts'
import { tailBefore, type FollowedFile } from '../files/followed-file.ts'
import type { OpenFiles } from '../files/open-files.ts'
import type { Counters } from '../metering/counters.ts'
import { limits } from '../metering/limits.ts'
import type { Loads } from '../metering/loads.ts'
import type { Shipping } from '../shipping/shipping.ts'
import type { FollowedStream } from '../streams/followed-stream.ts'
import type { MemoryBudget } from '../streams/memory-budget.ts'
import { prepare, prepareGap, type PreparedFrame } from '../streams/prepared-frame.ts'
import { Encoder } from './encoder.ts'

export interface ReadingOptions {
  readonly clock: Clock
  readonly log: Log
  readonly loads: Loads
  readonly counters: Counters
  readonly memory: MemoryBudget
  readonly files: OpenFiles
  readonly shipping: Shipping
  readonly partialFlushMs: number
}

export interface ReadingEvents {
  /** The bytes before the offset are others: the file has been truncated and written again. */
  changed: [followed: FollowedStream]
}

const { blockBytes, memoryBytesMax, aheadBytesMax } = limits
const readsAtOnceMax = 4
/** At most this much, written at most this long ago, is read on this thread: it is in memory still. */
const freshBytesMax = 64 * 1024
const freshMs = 1000
/** A block that cannot be read is tried again after this long; a file that cannot at all is a gap. */
const readRetryMs = 1000

export class Reading {
  readonly events = new EventEmitter<ReadingEvents>()
  readonly #options: ReadingOptions
  readonly #fairness: ReturnType<typeof createFairness>
  readonly #byStream = new Map<string, FollowedStream>()
  readonly #encoder = new Encoder()
  readonly #buffers: Buffer[] = []
  /** Counts each file's reads: one that compresses must not end the next one's. */
  readonly #reader = new WeakMap<FollowedFile, number>()
  #reads = 0
  #stopped = false

  constructor(options: ReadingOptions) {
    this.#options = options
    this.#fairness = createFairness(blockBytes)
  }

  /** There may be something to read, or room to read into. */
  wake(followed?: FollowedStream): void {
    if (followed !== undefined && this.#wants(followed.file)) {
      this.#byStream.set(followed.file.stream, followed)
      enqueue(this.#fairness, followed.file.stream)
    }
    this.#serve()
  }

  /** The checkpoint has advanced. Goes on after it where a collector holds more than was read. */
  advanced(followed: FollowedStream): void {
    const { file, outgoing } = followed
    const { checkpoint } = outgoing
    if (file.offset < checkpoint) {
      const held = this.#options.files.hold(file)
      const tail = held === undefined ? Buffer.alloc(0) : tailBefore(held, checkpoint)
      file.readTo({ ...file.position, offset: checkpoint, tail })
    }
    this.wake(followed)
  }

  /** It is followed no longer. */
  forget(followed: FollowedStream): void {
    dequeue(this.#fairness, followed.file.stream)
    this.#byStream.delete(followed.file.stream)
  }

  /** Nothing more is read; what is being compressed ends. */
  stop(): void {
    this.#stopped = true
    if (this.idle) void this.#encoder.close()
  }

  get idle(): boolean {
    return this.#reads === 0
  }

  #wants(file: FollowedFile): boolean {
    if (file.lostTo !== undefined) return file.offset < file.lostTo
    const unread = file.unreadBytes
    if (unread <= 0) return false
    const { rest } = file
    if (rest === undefined || unread > rest.bytes) return true
    return this.#overdue(file)
  }

  #overdue(file: FollowedFile): boolean {
    const sinceMs = file.rest?.sinceMs ?? Infinity
    return this.#options.clock.monotonicMs() - sinceMs >= this.#options.partialFlushMs
  }

  #usable(stream: string): boolean {
    const followed = this.#byStream.get(stream)
    if (followed === undefined || followed.file.reading) return false
    const ahead = followed.file.offset - followed.outgoing.checkpoint
    return ahead < aheadBytesMax && this.#options.shipping.takes(followed.outgoing)
  }

  #serve(): void {
    const { memory } = this.#options
    while (!this.#stopped && this.#reads < readsAtOnceMax && memory.heldBytes + blockBytes <= memoryBytesMax) {
      const stream = nextToServe(this.#fairness, (id) => this.#usable(id))
      const followed = stream === undefined ? undefined : this.#byStream.get(stream)
      if (followed === undefined) return
      this.#start(followed)
    }
  }

  #start(followed: FollowedStream): void {
    const { file } = followed
    const { log, clock, memory } = this.#options
    file.beginRead()
    this.#reads += 1
    memory.take(blockBytes)
    const read = (this.#reader.get(file) ?? 0) + 1
    this.#reader.set(file, read)
    void this.#readOne(followed)
      .catch((thrown: unknown) => {
        log.warn('cannot read', { path: file.at, reason: asError(thrown).message })
        file.waitsWith({ bytes: Infinity, sinceMs: clock.monotonicMs() + readRetryMs })
      })
      .finally(() => {
        memory.give(blockBytes)
        this.#reads -= 1
        if (this.#stopped && this.idle) void this.#encoder.close()
        if (file.reading && this.#reader.get(file) === read) file.endRead()
        if (!this.#wants(file)) this.forget(followed)
        this.#serve()
      })
  }

  async #readOne(followed: FollowedStream): Promise<void> {
    const { clock, files } = this.#options
    const { file } = followed
    const { lostTo, position } = file
    if (lostTo !== undefined) {
      this.#pushGap(followed, lostTo, `the file ended before byte ${lostTo} could be read`)
      return
    }
    const held = files.hold(file)
    if (held === undefined) {
      file.waitsWith({ bytes: Infinity, sinceMs: clock.monotonicMs() })
      return
    }
    const buffer = this.#buffers.pop() ?? Encoder.memory(blockBytes + seamBytes)
    const { tail, offset } = position
    const length = blockBytes + tail.length
    const fresh = this.#justAppended(file)
    const from = offset - tail.length
    const bytes = await (fresh ? held.readCached(buffer, length, from) : held.read(buffer, length, from))
    const unchanged =
      bytes >= tail.length &&
      buffer.compare(tail, 0, tail.length, 0, tail.length) === 0 &&
      (offset > 0 || hasHead(file.identity, buffer.subarray(0, bytes)))
    // A look may have found meanwhile that the file holds another generation: then these bytes are not this stream's.
    if (file.held !== held || file.offset !== offset) this.#buffers.push(buffer)
    else if (!unchanged) {
      this.#buffers.push(buffer)
      this.events.emit('changed', followed)
    } else await this.#take(followed, buffer, buffer.subarray(tail.length, bytes))
  }

  #justAppended({ unreadBytes, grewAtMs }: FollowedFile): boolean {
    return unreadBytes <= freshBytesMax && this.#options.clock.monotonicMs() - grewAtMs < freshMs
  }

  async #take(followed: FollowedStream, buffer: Buffer, data: Buffer): Promise<void> {
    const { file } = followed
    const cut = cutBlock(data, {
      atStart: file.offset === 0,
      inHole: file.position.inHole,
      full: data.length >= blockBytes,
      overdue: file.rest?.bytes === data.length && this.#overdue(file),
    })
    file.holdsAtLeast(file.offset + data.length)
    const frame = this.#advance(followed, data, cut)
    if (frame !== undefined) {
      file.endRead() // the next block may be read while this one is compressed
      this.#serve()
      await this.#compress(followed, frame, data.subarray(0, frame.to - frame.from))
    }
    this.#buffers.push(buffer)
  }

  async #compress({ outgoing }: FollowedStream, frame: PreparedFrame, raw: Buffer): Promise<void> {
    const encoded = await this.#encoder.encode(raw)
    outgoing.queue.finish(frame, encoded)
    this.#options.loads.read(outgoing.group, raw.length, frame.lines)
    this.#options.shipping.poke(outgoing)
  }

  /** Moves the offset past what is taken. Returns the frame that is to be compressed. */
  #advance(followed: FollowedStream, data: Buffer, cut: BlockCut): PreparedFrame | undefined {
    const { clock, counters } = this.#options
    const { file } = followed
    const { offset, tail } = file.position
    switch (cut.type) {
      case 'wait':
        file.waitsWith({ bytes: cut.partialBytes, sinceMs: clock.monotonicMs() })
        return undefined
      case 'hole':
        this.#pushGap(followed, offset + cut.bytes, `a run of NUL bytes: a hole that a truncation left`)
        counters.add('hole_bytes', cut.bytes)
        return undefined
      case 'take': {
        const raw = data.subarray(0, cut.bytes)
        const next = prepare(raw, { from: offset, tail, partialLine: cut.partialLine, readAt: clock.now() })
        this.#push(followed, next.frame, { tail: next.tail, inHole: false })
        return next.frame
      }
    }
  }

  /** What cannot be shipped: up to `to`, and why. */
  #pushGap(followed: FollowedStream, to: number, why: string): void {
    const { clock, shipping } = this.#options
    const { file, outgoing } = followed
    const gap = { before: outgoing.mark, readAt: clock.now(), why }
    this.#push(followed, prepareGap(file.offset, to, gap), { tail: Buffer.alloc(0), inHole: true })
    shipping.poke(outgoing)
  }

  #push({ file, outgoing }: FollowedStream, frame: PreparedFrame, after: { tail: Buffer; inHole: boolean }): void {
    outgoing.queue.push(frame)
    file.readTo({ offset: frame.to, ...after })
    served(this.#fairness, file.stream, frame.to - frame.from)
  }
}

/** Where a file begins no bytes lie before: there its known head shows whether it is the same. */
function hasHead({ headBytes, headCrc }: FileIdentity, data: Buffer): boolean {
  return data.length >= headBytes && crc32(data.subarray(0, headBytes)) === headCrc
}
