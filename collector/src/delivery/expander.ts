// Expands frames' payloads beside the event loop, into one piece of shared memory. The thread is there for the garbage
// collector as much as for the second core: what zlib returns is fresh memory outside of the heap, and every 64 MiB of it
// make V8 mark the whole heap. The thread's heap is nearly empty, and the main one no longer sees that memory.

import type { Worker } from 'node:worker_threads'
import type { FrameHeader } from '@catchment/protocol'
import { asError, CatchmentError, startThread } from '@catchment/runtime'
import { Arena } from '../segments/arena.ts'
import { expand } from './expand.ts'
import type { ExpandTask } from './expander-thread.ts'

/** What does not fit is expanded on the caller's thread. */
const arenaBytes = 8 * 1024 * 1024
/** Shorter frames are expanded at once: the way to the thread and back costs more. */
const threadBytesMin = 32 * 1024

export interface PackedFrame {
  readonly header: FrameHeader
  readonly payload: Buffer
}

export class Expander {
  readonly #arena: Arena
  #thread: Worker | undefined

  constructor(limits: { arenaBytes?: number } = {}) {
    this.#arena = new Arena(limits.arenaBytes ?? arenaBytes)
  }

  /**
   * For every frame its raw bytes, valid until the next call, or why they cannot be had: poison, and not tried again. One
   * call at a time. Throws CatchmentError `thread-ended`, retryable.
   */
  async expandAll(frames: readonly PackedFrame[]): Promise<(Buffer | Error)[]> {
    this.#arena.reset()
    const places = frames.map(({ header: { codec, rawBytes } }) =>
      codec === 'none' || rawBytes < threadBytesMin ? undefined : this.#arena.take(rawBytes),
    )
    const tasks = frames.flatMap(({ header, payload }, index): ExpandTask[] => {
      const { codec, rawBytes, rawCrc } = header
      const place = places[index]
      return place === undefined ? [] : [{ codec, rawBytes, rawCrc, payload, at: place.byteOffset }]
    })
    const failures = tasks.length === 0 ? [] : await this.#ask(tasks)
    let asked = 0
    return frames.map(({ header, payload }, index) => {
      const place = places[index]
      if (place === undefined) return expandHere(header, payload)
      const failure = failures[asked]
      asked += 1
      return failure === undefined ? place : new Error(failure)
    })
  }

  async close(): Promise<void> {
    await this.#thread?.terminate()
    this.#thread = undefined
  }

  #ask(tasks: readonly ExpandTask[]): Promise<readonly (string | undefined)[]> {
    const thread = (this.#thread ??= startThread(new URL('./expander-thread.ts', import.meta.url), this.#arena.memory))
    return new Promise((resolve, reject) => {
      const ended = (thrown: unknown): void => {
        this.#thread = undefined
        const message = `the thread that expands frames ended: ${asError(thrown).message}`
        reject(new CatchmentError('thread-ended', message, { blame: 'machine', retryable: true }))
      }
      thread.removeAllListeners().once('error', ended).once('exit', ended)
      thread.once('message', resolve)
      thread.postMessage(tasks)
    })
  }
}

function expandHere(header: FrameHeader, payload: Buffer): Buffer | Error {
  try {
    const raw = expand(header, payload)
    return Buffer.from(raw.buffer, raw.byteOffset, raw.length)
  } catch (thrown) {
    return asError(thrown)
  }
}
