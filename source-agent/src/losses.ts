// Bytes that no file holds any more. Whether they are lost is not the agent's to say: its checkpoint is lazy, so a
// collector may hold them. They are sent as a gap, and the collector's ranges tell. What it holds already is a duplicate,
// or is cut off, and no loss; what it stores as a gap is one, and counted then. Where nobody can tell (the answer to the
// gap was lost, or another collector was left unanswered with those bytes) that is what is said.

import type { Log } from '@catchment/runtime'
import type { Counters } from './counters.ts'
import { storedAsGap } from './decide/loss.ts'
import type { Followed } from './followed.ts'
import type { TurnEnd } from './lane.ts'
import type { Turn } from './turns.ts'

export class Losses {
  readonly #log: Log
  readonly #counters: Counters

  constructor(log: Log, counters: Counters) {
    this.#log = log
    this.#counters = counters
  }

  /** Nothing behind what was read can be had any more. `why`: what happened to the file. */
  suspect(followed: Followed, why: string): void {
    const { path, stream, readOffset, sizeBytes } = followed
    followed.loss = { from: readOffset, why, unanswered: false }
    followed.lostTo = sizeBytes
    this.#log.info('bytes are missing, asking the collector for them', {
      path,
      stream,
      bytes: sizeBytes - readOffset,
      why,
    })
  }

  /** What came of a turn of a stream with a loss, before the sender hears of it. */
  answered(turn: Turn, end: TurnEnd): void {
    const { followed, frames } = turn
    const { loss, sender } = followed
    if (loss === undefined || end.type === 'refused') return
    if (end.type === 'unanswered') {
      followed.loss = { ...loss, unanswered: true }
      return
    }
    const results = end.answer.results.slice(end.first, end.first + frames.length)
    const { lostBytes, perhapsBytes } = storedAsGap({ frames, results, loss, sender })
    this.#tell(followed, lostBytes, perhapsBytes)
  }

  /** The collector takes no gap either: what is left is lost without a trace there. */
  untold(followed: Followed): void {
    this.#tell(followed, Math.max(0, followed.sizeBytes - followed.sender.checkpoint), 0)
  }

  #tell(followed: Followed, lostBytes: number, perhapsBytes: number): void {
    const { path, stream, loss } = followed
    this.#counters.add('lost_bytes', lostBytes)
    this.#counters.add('perhaps_lost_bytes', perhapsBytes)
    const fields = { path, stream, why: loss?.why }
    if (lostBytes > 0) this.#log.error('bytes are lost', { ...fields, bytes: lostBytes })
    if (perhapsBytes > 0)
      this.#log.warn('bytes may be lost: a collector that cannot be asked may hold them', {
        ...fields,
        bytes: perhapsBytes,
      })
  }
}
