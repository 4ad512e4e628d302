// The guards of the recipes: lines without which the stated guarantee does not hold. `run.ts RECIPE --without GUARD` plays
// the schedules on a library that lacks the line, and has to find a schedule that fails.

export interface Guard {
  readonly recipe: string
  readonly name: string
  /** From the root of the repository. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly text: string
  readonly without: string
}

export const guards: readonly Guard[] = [
  {
    recipe: 'election',
    name: 'deposed while suspended',
    file: 'packages/coordination/src/recipes/election.ts',
    text: "return this.#elected && this.#session.state === 'connected'",
    without: 'return this.#elected',
  },
  {
    recipe: 'barrier',
    name: 'a removal is known by the czxid',
    file: 'packages/coordination/src/recipes/barrier.ts',
    text: 'stat === undefined || stat.czxid !== waitingAt',
    without: 'stat === undefined',
  },
  {
    recipe: 'barrier',
    name: 'watch',
    file: 'packages/coordination/src/recipes/barrier.ts',
    text: 'session.exists(path, turn)',
    without: 'session.exists(path, { signal: turn.signal })',
  },
]
