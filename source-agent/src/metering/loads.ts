// What each group offers: bytes appended to its files, read or not; records, estimated by the length of the lines read so
// far; and the backlog, what is not durable yet. A report covers the time since the last one that was answered.

import type { GroupReport } from '@catchment/protocol'
import type { Clock } from '@catchment/runtime'

interface OfferedLoad {
  offeredBytes: number
  backlogBytes: number
  sinceMs: number
  readBytes: number
  readLines: number
}

const lineBytesGuess = 150

export class Loads {
  readonly #clock: Clock
  readonly #groups = new Map<string, OfferedLoad>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The files of `group` grew while they were followed. */
  appended(group: string, bytes: number): void {
    this.#of(group).offeredBytes += bytes
  }

  read(group: string, bytes: number, lines: number): void {
    const load = this.#of(group)
    load.readBytes += bytes
    load.readLines += lines
  }

  backlog(group: string, changeBytes: number): void {
    this.#of(group).backlogBytes += changeBytes
  }

  report(group: string, epoch: number): GroupReport {
    const load = this.#of(group)
    const recordsPerByte = load.readBytes === 0 ? 1 / lineBytesGuess : load.readLines / load.readBytes
    return {
      group,
      epoch,
      offeredBytes: load.offeredBytes,
      offeredRecords: Math.round(load.offeredBytes * recordsPerByte),
      overMs: Math.max(0, this.#clock.monotonicMs() - load.sinceMs),
      backlogBytes: Math.max(0, load.backlogBytes),
    }
  }

  /** A collector has taken the report. */
  reported(report: GroupReport): void {
    const load = this.#of(report.group)
    load.offeredBytes = Math.max(0, load.offeredBytes - report.offeredBytes)
    load.sinceMs += report.overMs
  }

  get backlogBytes(): number {
    let sum = 0
    for (const load of this.#groups.values()) sum += Math.max(0, load.backlogBytes)
    return sum
  }

  #of(group: string): OfferedLoad {
    const known = this.#groups.get(group)
    if (known !== undefined) return known
    const load = { offeredBytes: 0, backlogBytes: 0, sinceMs: this.#clock.monotonicMs(), readBytes: 0, readLines: 0 }
    this.#groups.set(group, load)
    return load
  }
}
