// What is kept is bounded by `disk-max`: the oldest segments go first, when every sink has them and their ranges stand
// in a durable snapshot. When none can go, nothing is deleted: admission pushes back until delivery has caught up.

import { Background, type Log, type Metrics } from '@catchment/runtime'
import type { Deliveries } from './deliveries.ts'
import type { Store } from '../segments/store.ts'

export interface RetentionOptions {
  readonly store: Pick<Store, 'segments' | 'dataBytes' | 'snapshotUpTo' | 'removeOldest'>
  readonly delivery: Pick<Deliveries, 'cursor'>
  /** Above it segments are deleted: less than where admission ends, so that room is made before it is wanted. */
  readonly keptBytesMax: number
  readonly log: Log
  readonly metrics: Metrics
}

export class Retention {
  readonly #options: RetentionOptions
  readonly #background: Background
  readonly #deleted

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#deleted = options.metrics.counter('segments_deleted_total', 'delivered segments that made room for others')
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.message })
    })
  }

  /** Deletes what must and may go. To be called when the cursor has moved, and now and then. */
  check(): void {
    if (this.#background.size === 0 && this.#deletable())
      this.#background.run('deleting segments', () => this.#delete())
  }

  async close(): Promise<void> {
    await this.#background.close()
  }

  #deletable(): boolean {
    const { store, delivery, keptBytesMax } = this.#options
    const oldest = store.segments[0]
    if (oldest === undefined || store.dataBytes <= keptBytesMax || oldest.sequence > store.snapshotUpTo) return false
    const { segment, offset } = delivery.cursor
    return oldest.sequence < segment || (oldest.sequence === segment && offset >= oldest.bytes)
  }

  async #delete(): Promise<void> {
    while (this.#deletable()) {
      this.#options.log.info('deleting the oldest segment; it is delivered', {
        path: this.#options.store.segments[0]?.path,
      })
      await this.#options.store.removeOldest()
      this.#deleted.add()
    }
  }
}
