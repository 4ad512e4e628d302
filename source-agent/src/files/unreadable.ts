import type { Clock, Log } from '@catchment/runtime'

const againMs = 3_600_000
const relapseMs = 60_000

/**
 * Reports what cannot be read: one sentence for all of it, again only when it has doubled, has come back after
 * all was well, or after an hour.
 */
export class Unreadable {
  readonly #clock: Clock
  readonly #log: Log
  #reported = 0
  #reportedAtMs = 0
  #well = true

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** All paths that cannot be read at present. */
  report(paths: ReadonlySet<string>): void {
    const [first] = paths
    if (first === undefined) {
      if (!this.#well) this.#log.info('everything that matches can be read now')
      this.#well = true
      return
    }
    if (!this.#due(paths.size)) return
    this.#reported = paths.size
    this.#reportedAtMs = this.#clock.monotonicMs()
    this.#well = false
    this.#log.warn('some files cannot be read; they are tried again', {
      count: paths.size,
      first,
      help: `let the user that runs the agent read them: add it to the files' group (often adm), or setfacl -m u:USER:rX`,
    })
  }

  #due(count: number): boolean {
    const sinceMs = this.#clock.monotonicMs() - this.#reportedAtMs
    if (this.#reported === 0 || count >= 2 * this.#reported) return true
    return sinceMs >= (this.#well ? relapseMs : againMs)
  }
}
