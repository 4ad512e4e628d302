// What each group costs, from what its agents offer, not from what was accepted: under back-pressure the load that wants
// in is what the assigner must see. Two views are joined, the greater one counts: a slow average, so that a lull of
// seconds does not look like room; and a peak that decays, so that a burst is seen at once.

import type { GroupReport, Load, LoadAnswer } from '@catchment/protocol'

const slowTimeConstantMs = 60_000
const peakHalfLifeMs = 20_000
/** After this silence a source is not counted. */
const sourceForgottenMs = 120_000
/** After this silence a group is not reported any more. */
const groupForgottenMs = 600_000
/** Past it further groups are not measured: the assigner sees them as without load. */
export const groupsMeasuredMax = 1_000_000
/** Past it a group's sources are not counted further. */
export const sourcesPerGroupMax = 10_000

interface Rate {
  slow: number
  peak: number
  /** Offered since the last tick. */
  offered: number
}

interface GroupRates {
  readonly bytes: Rate
  readonly records: Rate
  /** By agent: when it last sent, and its backlog. */
  readonly sources: Map<string, { at: number; backlogBytes: number }>
  at: number
}

export class LoadMeter {
  readonly #groups = new Map<string, GroupRates>()
  #tickedAt: number

  /** Times are monotonic milliseconds. */
  constructor(now: number) {
    this.#tickedAt = now
  }

  /** What an agent's preamble says of a group that is served here. */
  offer(agent: string, report: GroupReport, now: number): void {
    let load = this.#groups.get(report.group)
    if (load === undefined) {
      if (this.#groups.size >= groupsMeasuredMax) return
      load = { bytes: newRate(), records: newRate(), sources: new Map(), at: now }
      this.#groups.set(report.group, load)
    }
    load.at = now
    load.bytes.offered += report.offeredBytes
    load.records.offered += report.offeredRecords
    if (load.sources.has(agent) || load.sources.size < sourcesPerGroupMax)
      load.sources.set(agent, { at: now, backlogBytes: report.backlogBytes })
  }

  /** To be called every report interval. */
  tick(now: number): void {
    const elapsedMs = now - this.#tickedAt
    if (elapsedMs <= 0) return
    this.#tickedAt = now
    for (const [group, load] of this.#groups) {
      advance(load.bytes, elapsedMs)
      advance(load.records, elapsedMs)
      for (const [source, { at }] of load.sources) if (now - at > sourceForgottenMs) load.sources.delete(source)
      if (now - load.at > groupForgottenMs) this.#groups.delete(group)
    }
  }

  /** A group that has left this collector. */
  forget(group: string): void {
    this.#groups.delete(group)
  }

  measured(): readonly string[] {
    return [...this.#groups.keys()]
  }

  groups(): LoadAnswer['groups'] {
    return [...this.#groups].map(([group, load]) => ({
      group,
      load: loadOf(load),
      backlogBytes: [...load.sources.values()].reduce((sum, { backlogBytes }) => sum + backlogBytes, 0),
      sources: load.sources.size,
    }))
  }

  total(): Load {
    let bytesPerSecond = 0
    let recordsPerSecond = 0
    for (const load of this.#groups.values()) {
      const one = loadOf(load)
      bytesPerSecond += one.bytesPerSecond
      recordsPerSecond += one.recordsPerSecond
    }
    return { bytesPerSecond, recordsPerSecond }
  }
}

function newRate(): Rate {
  return { slow: 0, peak: 0, offered: 0 }
}

function advance(rate: Rate, elapsedMs: number): void {
  const perSecond = (rate.offered * 1000) / elapsedMs
  rate.offered = 0
  rate.slow += (perSecond - rate.slow) * (1 - Math.exp(-elapsedMs / slowTimeConstantMs))
  rate.peak = Math.max(perSecond, rate.peak * 2 ** (-elapsedMs / peakHalfLifeMs))
}

function loadOf({ bytes, records }: GroupRates): Load {
  return { bytesPerSecond: shown(bytes), recordsPerSecond: shown(records) }
}

function shown({ slow, peak }: Rate): number {
  return Math.round(Math.max(slow, peak) * 10) / 10
}
