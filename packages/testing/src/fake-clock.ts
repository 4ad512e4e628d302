import type { Clock, Timer } from '@catchment/runtime'
import { Heap } from './heap.ts'

interface Pending {
  readonly dueMs: number
  readonly order: number
  readonly fire: () => void
  /** A cancelled timer stays in the heap until it comes to its top. */
  cancelled: boolean
}

const isBefore = (one: Pending, other: Pending): boolean =>
  one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order)

/**
 * Virtual time: it stands still until a test advances it. Timers fire in the order of their due times, those of one
 * instant in the order in which they were set. Wall and monotonic time go together unless `jumpWall` parts them.
 */
export class FakeClock implements Clock {
  #monotonicMs = 0
  #wallMs: number
  #order = 0
  readonly #pending = new Heap<Pending>(isBefore)
  #waiting = 0

  /** `startMs`: the wall time at which it begins, ms since 1970. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs
  }

  now(): number {
    return Math.floor(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** A delay below zero, or none, is due at once: at the next `advance`, be it of 0 ms. */
  after(delayMs: number, fire: () => void): Timer {
    const dueMs = this.#monotonicMs + Math.max(0, delayMs || 0)
    const pending = { dueMs, order: this.#order, fire, cancelled: false }
    this.#order += 1
    this.#waiting += 1
    this.#pending.push(pending)
    return {
      cancel: () => {
        if (!pending.cancelled) this.#waiting -= 1
        pending.cancelled = true
      },
    }
  }

  /** How many timers wait: 0 when everything that was started has ended. */
  get pendingTimers(): number {
    return this.#waiting
  }

  /**
   * Lets `ms` pass: runs every timer that falls due, those too that are set meanwhile, and lets promises settle before,
   * between and after them. It does not wait for real I/O.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms
    await settled()
    while (await this.step(untilMs));
    this.#moveTo(untilMs)
  }

  /** Runs the one timer that is due next and no later than `untilMs` (monotonic), lets promises settle; false without one. */
  async step(untilMs: number): Promise<boolean> {
    const next = this.#dueBy(untilMs)
    if (next === undefined) return false
    this.#pending.pop()
    this.#waiting -= 1
    next.cancelled = true // a cancel that comes later finds nothing to do
    this.#moveTo(next.dueMs)
    next.fire()
    await settled()
    return true
  }

  /** An operator or NTP sets the clock: wall time jumps, monotonic time and timers do not notice. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs
  }

  #moveTo(monotonicMs: number): void {
    const passedMs = Math.max(0, monotonicMs - this.#monotonicMs)
    this.#monotonicMs += passedMs
    this.#wallMs += passedMs
  }

  #dueBy(untilMs: number): Pending | undefined {
    while (this.#pending.top?.cancelled === true) this.#pending.pop()
    const { top } = this.#pending
    return top !== undefined && top.dueMs <= untilMs ? top : undefined
  }
}

/** Resolves when all promises that can settle without I/O or time have settled: an immediate runs after all microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
