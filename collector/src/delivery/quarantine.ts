import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FrameHeader } from '@catchment/protocol'
import type { Log } from '@catchment/runtime'
import { lostRange } from '../segments/segment-scan.ts'
import type { DeliveryCounters } from './delivery-counters.ts'

export interface QuarantineOptions {
  readonly data: string
  readonly sink: string
  readonly counters: Pick<DeliveryCounters, 'quarantined'>
  readonly log: Log
}

/** The frames that one sink can never have: counted, logged, and listed in `quarantine.jsonl` of the data directory. */
export class Quarantine {
  readonly #options: QuarantineOptions

  constructor(options: QuarantineOptions) {
    this.#options = options
  }

  async add(header: FrameHeader, reason: string): Promise<void> {
    const { data, sink, counters, log } = this.#options
    const range = lostRange(header)
    counters.quarantined.add()
    log.error('a frame could not be delivered', { ...range, reason, sink })
    const line = `${JSON.stringify({ ...range, source: header.source, path: header.path, reason, sink })}\n`
    await appendFile(join(data, 'quarantine.jsonl'), line, { mode: 0o600 })
  }
}
