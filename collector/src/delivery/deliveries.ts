// One loop of delivery for each sink. A sink that fails holds up itself alone, and what retention may delete.

import type { Metrics } from '@catchment/runtime'
import { firstCursor, type Cursor } from './cursor.ts'
import { deliveryCounters } from './delivery-counters.ts'
import { DeliveryLoop, type DeliveryOptions } from './delivery-loop.ts'
import type { Sink } from './sink.ts'

export interface DeliveriesOptions extends Omit<DeliveryOptions, 'name' | 'sink' | 'counters'> {
  /** By name, opened. */
  readonly sinks: ReadonlyMap<string, Sink>
  readonly metrics: Metrics
}

export class Deliveries {
  readonly #loops: readonly DeliveryLoop[]

  private constructor(loops: readonly DeliveryLoop[], metrics: Metrics) {
    this.#loops = loops
    metrics.gauge('undelivered_bytes', 'stored bytes that are not in every sink yet', () => this.undeliveredBytes)
  }

  /** The sinks are closed with the deliveries. */
  static async open({ sinks, metrics, ...shared }: DeliveriesOptions): Promise<Deliveries> {
    const counters = deliveryCounters(metrics)
    const opening = [...sinks].map(([name, sink]) => DeliveryLoop.open({ ...shared, name, sink, counters }))
    return new Deliveries(await Promise.all(opening), metrics)
  }

  /** The cursor of some sink has moved, durably. */
  onMoved(listener: () => void): void {
    for (const loop of this.#loops) loop.onMoved(listener)
  }

  start(): void {
    for (const loop of this.#loops) loop.start()
  }

  /** More is durable, or may be. */
  notify(): void {
    for (const loop of this.#loops) loop.notify()
  }

  /** The least of the sinks' cursors: everything before it is delivered to all of them. */
  get cursor(): Cursor {
    const cursors = this.#loops.map((loop) => loop.cursor)
    return cursors.toSorted((a, b) => a.segment - b.segment || a.offset - b.offset)[0] ?? firstCursor
  }

  /** What the sink that has come the least far lacks. */
  get undeliveredBytes(): number {
    return Math.max(0, ...this.#loops.map((loop) => loop.undeliveredBytes))
  }

  /** Resolves when all that is stored is in every sink, or after `graceMs`. True when it is. */
  async drain(graceMs: number): Promise<boolean> {
    const drained = await Promise.all(this.#loops.map((loop) => loop.drain(graceMs)))
    return drained.every((all) => all)
  }

  async close(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.close()))
  }
}
