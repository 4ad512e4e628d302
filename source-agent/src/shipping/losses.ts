// Bytes that no file holds any more. The agent cannot know whether they are lost: its checkpoint is lazy, so a collector
// may hold them. They are sent as a gap, and the collector's ranges decide. What it holds already is a duplicate, or is cut
// off, and no loss; what it stores as a gap is one, and counted then. Where that cannot be known (the answer to the gap was
// lost, or another collector was left unanswered with those bytes) the bytes are counted as perhaps lost.

import type { Log } from '@catchment/runtime'
import { storedAsGap } from '../decide/loss.ts'
import type { Counters } from '../metering/counters.ts'
import type { FollowedStream } from '../streams/followed-stream.ts'
import type { OutgoingStream } from '../streams/outgoing-stream.ts'
import type { BatchOutcome } from './collector-client.ts'
import type { StreamBatch } from './stream-batch.ts'

export class Losses {
  readonly #log: Log
  readonly #counters: Counters

  constructor(log: Log, counters: Counters) {
    this.#log = log
    this.#counters = counters
  }

  /** Nothing after what was read can be had any more. `why`: what happened to the file. */
  suspect({ file, outgoing }: FollowedStream, why: string): void {
    const { path, stream, offset, sizeBytes } = file
    outgoing.missesRest({ from: offset, why, unanswered: false })
    file.loseRest()
    this.#log.info('bytes are missing, asking the collector for them', {
      path,
      stream,
      bytes: sizeBytes - offset,
      why,
    })
  }

  /** What came of a batch of a stream that misses bytes, before the sender learns of it. */
  answered(batch: StreamBatch, outcome: BatchOutcome): void {
    const { stream, frames } = batch
    const { missing, sender } = stream
    if (missing === undefined || outcome.type === 'refused') return
    if (outcome.type === 'unanswered') {
      stream.missesRest({ ...missing, unanswered: true })
      return
    }
    const { lostBytes, perhapsBytes } = storedAsGap({ frames, results: outcome.results, loss: missing, sender })
    this.#count(stream, lostBytes, perhapsBytes)
  }

  /** The collector takes no gap either: what is left is lost without a trace there. */
  untraced(stream: OutgoingStream): void {
    this.#count(stream, Math.max(0, stream.source.sizeBytes - stream.checkpoint), 0)
  }

  #count(outgoing: OutgoingStream, lostBytes: number, perhapsBytes: number): void {
    const { path, id: stream, missing } = outgoing
    this.#counters.add('lost_bytes', lostBytes)
    this.#counters.add('perhaps_lost_bytes', perhapsBytes)
    const fields = { path, stream, why: missing?.why }
    if (lostBytes > 0) this.#log.error('bytes are lost', { ...fields, bytes: lostBytes })
    if (perhapsBytes > 0)
      this.#log.warn('bytes may be lost: a collector that cannot be asked may hold them', {
        ...fields,
        bytes: perhapsBytes,
      })
  }
}
