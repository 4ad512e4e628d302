// What the planner sees and what it says. It sees who serves what now, never why: loans, graces, epochs and znodes are
// the assigner's matter. All of it is plain data, so that a plan can be replayed, simulated and asked "what if".

/** What a group costs, or what a collector can bear, per second. Raw (uncompressed) bytes; both smoothed by the caller. */
export interface Load {
  readonly bytesPerSecond: number
  readonly recordsPerSecond: number
}

export interface Collector {
  readonly id: string
  /**
   * Only the relation between collectors matters. A dimension that is not a positive finite number counts as the mean
   * of the other collectors' in that dimension; a dimension that no collector states is not planned by.
   */
  readonly capacity: Load
  /** Not looked at yet: groups name no zone. */
  readonly zone?: string
  /** serve: holds and receives. cordon: keeps what it has, receives nothing. drain: must lose everything. */
  readonly admin: 'serve' | 'cordon' | 'drain'
  /**
   * True while the caller fills it up, perhaps over several plans: `local` then brings it to its fair share as soon as
   * it is under `joinStop`. Without this only a collector under `joinStart` is taken for one that has just joined:
   * from the pressure alone a drifted collector looks like a joiner that is nearly full, and drift must move nothing.
   */
  readonly joining?: boolean
}

export interface Group {
  readonly name: string
  /** undefined, or a number in it that is negative or not finite: not measured yet. Counts as the mean of the measured. */
  readonly load: Load | undefined
  /** undefined: none yet (new). An id that is not among the collectors: its server is gone (orphan). */
  readonly server: string | undefined
}

/** Ids and names are unique. Only living collectors are listed. The order of both lists never matters. */
export interface Situation {
  readonly collectors: readonly Collector[]
  readonly groups: readonly Group[]
}

/**
 * Why a group changes its server. `orphan`, `new` and `drain` are forced. `join` fills a collector that came,
 * `balance` cools a hot one, `global` and `ring` are the strategies that plan everything again.
 */
export type MoveReason = 'orphan' | 'new' | 'drain' | 'join' | 'balance' | 'global' | 'ring'

export interface Move {
  readonly group: string
  /** The server that the situation named, whether it is still listed or not. */
  readonly from: string | undefined
  readonly to: string
  readonly why: MoveReason
}

export interface Plan {
  /** Forced moves first, largest group first; then the others in the order in which they help. One per group. */
  readonly moves: readonly Move[]
  /**
   * Groups that must find a server while no collector serves: orphans, new ones, and those of draining collectors
   * (which go on serving them meanwhile). Largest first.
   */
  readonly unplaced: readonly string[]
  /** The greatest pressure (see `pressures`) before and after the moves; 0 without groups or collectors. */
  readonly imbalanceBefore: number
  readonly imbalanceAfter: number
}
