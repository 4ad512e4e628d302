// The runs of jobs in this process. A run holds its job as long as its lease lasts, which is counted from the sending of
// the request that last took or renewed the lock: so it ends here before it ends in Redis, also when the event loop was
// blocked past it and no error has arrived yet.

import type { Clock, Timer } from '@catchment/runtime'
import type { JobContext } from './queues.ts'

export interface JobRun {
  readonly context: JobContext
  end(): void
}

interface Live {
  readonly id: string
  readonly abort: AbortController
  leaseEndsMs: number
  timer: Timer | undefined
  lost: boolean
}

export class JobRuns {
  readonly #clock: Clock
  /** The newest run of each job. */
  readonly #newest = new Map<string, Live>()
  /** All that have not ended, those too that have lost their job to a newer one. */
  readonly #live = new Set<Live>()
  readonly #idle = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#live.size
  }

  /** Of every run that has not ended. */
  ids(): string[] {
    return [...new Set([...this.#live].map(({ id }) => id))]
  }

  /** `leaseEndsMs`: monotonic; Infinity where no lock can be lost. A run of the same job that still goes on loses it. */
  start(id: string, attempt: number, leaseEndsMs: number): JobRun {
    this.lose([id], 'another run of the job has begun')
    const live: Live = { id, abort: new AbortController(), leaseEndsMs, timer: undefined, lost: false }
    this.#live.add(live)
    this.#newest.set(id, live)
    this.#watch(live)
    return {
      context: {
        attempt,
        signal: live.abort.signal,
        held: () => !live.lost && !live.abort.signal.aborted && this.#clock.monotonicMs() < live.leaseEndsMs,
      },
      end: () => {
        this.#end(live)
      },
    }
  }

  /** The locks of `ids` were renewed; their leases end at `leaseEndsMs`. A lease that has ended stays ended. */
  renew(ids: Iterable<string>, leaseEndsMs: number): void {
    for (const id of ids) {
      const live = this.#newest.get(id)
      if (live === undefined || live.lost || this.#clock.monotonicMs() >= live.leaseEndsMs) continue
      live.leaseEndsMs = leaseEndsMs
      this.#watch(live)
    }
  }

  lose(ids: Iterable<string>, reason: string): void {
    for (const id of ids) {
      const live = this.#newest.get(id)
      if (live !== undefined) this.#lose(live, reason)
    }
  }

  /** Aborts all runs. They still count until they end. */
  abort(reason: string): void {
    for (const live of this.#live) live.abort.abort(new Error(reason))
  }

  /** Resolves as soon as no run is left. */
  idle(): Promise<void> {
    if (this.#live.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.add(resolve))
  }

  #watch(live: Live): void {
    live.timer?.cancel()
    if (live.leaseEndsMs === Infinity) return
    live.timer = this.#clock.after(live.leaseEndsMs - this.#clock.monotonicMs(), () => {
      this.#lose(live, 'the lock of the job was not renewed in time')
    })
  }

  #lose(live: Live, reason: string): void {
    live.lost = true
    live.timer?.cancel()
    live.abort.abort(new Error(reason))
  }

  #end(live: Live): void {
    live.timer?.cancel()
    live.lost = true
    this.#live.delete(live)
    if (this.#newest.get(live.id) === live) this.#newest.delete(live.id)
    if (this.#live.size > 0) return
    for (const resolve of this.#idle) resolve()
    this.#idle.clear()
  }
}
