import { asError } from '../errors.ts'
import type { Log } from '../telemetry/log.ts'

/**
 * Counted background work. Whatever is not awaited where it starts is started here: its failure reaches `onFailure`, and
 * `close()` aborts the signal that it was given and waits for all of it.
 */
export class Background {
  readonly #running = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  readonly #onFailure: (name: string, error: Error) => void

  constructor(onFailure: (name: string, error: Error) => void) {
    this.#onFailure = onFailure
  }

  /** Background work whose failures are logged as errors, and end nothing else. */
  static logging(log: Pick<Log, 'error'>): Background {
    return new Background((name, error) => {
      log.error(`${name} failed`, { reason: error.stack ?? error.message })
    })
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  get size(): number {
    return this.#running.size
  }

  /** Starts `work`. An error after close() has begun is not a failure: it is how aborted work ends. */
  run(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    const running = this.#guarded(name, work).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('closing'))
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async #guarded(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await work(this.#stop.signal)
    } catch (thrown) {
      if (!this.#stop.signal.aborted) this.#onFailure(name, asError(thrown))
    }
  }
}
