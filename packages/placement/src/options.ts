// The thresholds of planning. Start and stop differ so that a cluster at the edge does not oscillate.

/** All pressures here are relative to a fair share among the collectors that serve: 1 is exactly fair. */
export interface PlanOptions {
  /** false: only what is forced (orphans, new groups, drains) moves, under every strategy. */
  readonly balance: boolean
  /** `local` begins to shed when a serving collector's pressure is above this… */
  readonly shedStart: number
  /** …and goes on until none is above this. */
  readonly shedStop: number
  /** A serving collector below this has just joined and is filled up to its fair share… */
  readonly joinStart: number
  /** …as is one marked `joining` while it is below this. */
  readonly joinStop: number
  /** Most load that one plan may move for `balance`, as a share of the load of all groups; 0.01 is one percent. */
  readonly movedShareMax: number
  /** The same for `join`. Forced moves have no budget. */
  readonly joinShareMax: number
}

export const defaultOptions: PlanOptions = {
  balance: true,
  shedStart: 1.1,
  shedStop: 1.05,
  joinStart: 0.5,
  joinStop: 0.95,
  movedShareMax: Infinity,
  joinShareMax: Infinity,
}
