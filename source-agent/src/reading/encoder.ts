// Compresses blocks on threads of its own: there zstd works in one pass, and the memory that zlib returns never meets the
// main heap, which V8 would mark as a whole every few dozen MiB of it. Blocks are read into shared memory, so that only the
// compressed bytes travel, and those without a copy.

import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { startThread } from '@catchment/runtime'
import type { Encoded } from '../streams/prepared-frame.ts'
import { encode } from './encode.ts'
import type { CompressionRequest } from './encoder-thread.ts'

/** Half of the cores, and no more memory than four take: one compresses some 200 MB/s. */
const threadsMax = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)))
/** Shorter blocks are compressed at once: the way to a thread and back costs more. */
const threadBytesMin = 32 * 1024

interface WaitingBlock {
  readonly raw: Buffer
  readonly resolve: (encoded: Encoded) => void
}

interface EncoderThread {
  readonly worker: Worker
  /** It answers in the order in which it was asked. */
  readonly waiting: WaitingBlock[]
}

export class Encoder {
  #threads: EncoderThread[] = []

  /** Memory that a block is best read into. */
  static memory(bytes: number): Buffer {
    return Buffer.from(new SharedArrayBuffer(bytes))
  }

  /** `raw` must not change until then. Never rejects: what a thread does not answer is done here. */
  async encode(raw: Buffer): Promise<Encoded> {
    const { buffer: memory } = raw
    if (raw.length < threadBytesMin || !(memory instanceof SharedArrayBuffer)) return encode(raw)
    const request: CompressionRequest = { memory, at: raw.byteOffset, bytes: raw.length }
    const { worker, waiting } = this.#thread()
    return new Promise((resolve) => {
      waiting.push({ raw, resolve })
      worker.postMessage(request)
    })
  }

  /** Ends the threads; the next block starts new ones. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  /** The one with the least to do; a new one while all are busy and there may be more. */
  #thread(): EncoderThread {
    const [least] = this.#threads.toSorted((a, b) => a.waiting.length - b.waiting.length)
    if (least !== undefined && (least.waiting.length === 0 || this.#threads.length >= threadsMax)) return least
    const worker = startThread(new URL('./encoder-thread.ts', import.meta.url))
    const thread: EncoderThread = { worker, waiting: [] }
    const ended = (): void => {
      this.#threads = this.#threads.filter((one) => one !== thread)
      for (const { raw, resolve } of thread.waiting.splice(0)) resolve(encode(raw))
    }
    worker.on('message', (encoded: Encoded) => thread.waiting.shift()?.resolve(encoded))
    worker.on('error', ended).on('exit', ended).unref()
    this.#threads.push(thread)
    return thread
  }
}
