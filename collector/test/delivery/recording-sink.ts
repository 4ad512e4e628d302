// A sink in memory that does what a test wants: it fails, or forgets what was not flushed, and remembers the rest.

import type { ByteRange } from '@catchment/protocol'
import type { ExpandedFrame, RefusedFrame, Sink } from '../../src/delivery/sink.ts'

export interface RecordedFrame extends ByteRange {
  readonly stream: string
  readonly bytes: Buffer | undefined
}

export class RecordingSink implements Sink {
  /** What was flushed, in order. */
  readonly durable: RecordedFrame[] = []
  /** Thrown by every write while it stands. */
  writeError: Error | undefined
  /** Thrown by the next flush. */
  flushError: Error | undefined
  closed = false
  #written: RecordedFrame[] = []

  write(frames: readonly ExpandedFrame[]): Promise<readonly RefusedFrame[]> {
    if (this.writeError !== undefined) return Promise.reject(this.writeError)
    for (const frame of frames) {
      const { stream, start, rawBytes } = frame.header
      const bytes = frame.kind === 'bytes' ? Buffer.from(frame.raw) : undefined // the original is valid during the call
      this.#written.push({ stream, from: start, to: start + rawBytes, bytes })
    }
    return Promise.resolve([])
  }

  flush(): Promise<void> {
    const error = this.flushError
    this.flushError = undefined
    if (error !== undefined) return Promise.reject(error)
    this.durable.push(...this.#written.splice(0))
    return Promise.resolve()
  }

  reset(): Promise<void> {
    this.#written = []
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.closed = true
    return Promise.resolve()
  }
}
