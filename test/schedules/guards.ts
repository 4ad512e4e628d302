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
    text: "return this.#elected !== undefined && this.#session.state === 'connected'",
    without: 'return this.#elected !== undefined',
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
  {
    recipe: 'double barrier',
    name: 'a round waits until the last one is over',
    file: 'packages/coordination/src/recipes/double-barrier.ts',
    text: 'all.some((name) => last.has(name)) || next.length < size',
    without: 'next.length < size',
  },
  {
    recipe: 'double barrier',
    name: 'leaving waits for the others',
    file: 'packages/coordination/src/recipes/double-barrier.ts',
    text: 'if (watched === undefined) return true',
    without: 'return true',
  },
  {
    recipe: 'double barrier',
    name: 'leaving tells that the session was lost',
    file: 'packages/coordination/src/recipes/double-barrier.ts',
    text: "if (this.#session.generation !== generation || this.#session.state === 'lost')",
    without: "if (this.#session.state === 'closed')",
  },
  {
    recipe: 'double barrier',
    name: 'the opener watches the line',
    file: 'packages/coordination/src/recipes/double-barrier.ts',
    text: 'const all = await readLine(this.#session, path, turn)',
    without: 'const all = line',
  },
  {
    recipe: 'double barrier',
    name: 'who gives up withdraws',
    file: 'packages/coordination/src/recipes/double-barrier.ts',
    text: 'void (round?.withdraw() ?? this.#place?.leave())',
    without: '',
  },
  {
    recipe: 'election',
    name: 'a suspension deposes',
    file: 'packages/coordination/src/recipes/election.ts',
    text: "if (state === 'connected') return",
    without: "if (state !== 'closed') return",
  },
  {
    recipe: 'election',
    name: 'the leader watches its node, the others the one before',
    file: 'packages/coordination/src/recipes/election.ts',
    text: 'const stat = await this.#session.exists(node, turn)',
    without: 'const stat = await this.#session.exists(node, { signal, generation })',
  },
  {
    recipe: 'election',
    name: 'a place of each session',
    file: 'packages/coordination/src/recipes/election.ts',
    text: 'if (this.#place?.generation === generation) return this.#place',
    without: 'if (this.#place !== undefined) return this.#place',
  },
  {
    recipe: 'election, fenced',
    name: 'the token is of the leader',
    file: 'packages/coordination/src/recipes/election.ts',
    text: 'this.#elected = { token, node }',
    without: 'this.#elected = { token: 1n, node }',
  },
  {
    recipe: 'hot standby',
    name: 'saves are fenced',
    file: 'packages/coordination/src/recipes/saved-context.ts',
    text: 'multi([fence, write], each), limits)',
    without: "multi([{ ...write, version: 'any' }], each), {})",
  },
  {
    recipe: 'hot standby',
    name: 'a save whose answer was lost is found again',
    file: 'packages/coordination/src/recipes/saved-context.ts',
    text: "if (!isCode(thrown, 'bad-version') || !this.#inDoubt) throw thrown",
    without: 'throw thrown',
  },
  {
    recipe: 'hot standby',
    name: 'a lost session ends the run',
    file: 'packages/coordination/src/recipes/hot-standby.ts',
    text: "if (state === 'lost' || state === 'closed') lose(`the session is ${state}`)",
    without: "if (state === 'closed') lose(`the session is ${state}`)",
  },
  {
    recipe: 'hot standby',
    name: 'held only with its own token',
    file: 'packages/coordination/src/recipes/hot-standby.ts',
    text: 'return election.token === token',
    without: 'return !signal.aborted',
  },
  {
    recipe: 'hot standby',
    name: 'the place is given back',
    file: 'packages/coordination/src/recipes/hot-standby.ts',
    text: 'await this.#resign(election)',
    without: 'await Promise.resolve()',
  },
  {
    recipe: 'cold standby',
    name: 'only its own claim is deleted',
    file: 'packages/coordination/src/recipes/claim.ts',
    text: 'if (await this.isOurs(call)) await this.#session.delete',
    without: 'await this.#session.delete',
  },
  {
    recipe: 'cold standby',
    name: 'a claim in doubt is looked at again',
    file: 'packages/coordination/src/recipes/cold-standby.ts',
    text: 'if (claimed && !this.#inDoubt.has(task)) return undefined',
    without: 'if (claimed) return undefined',
  },
  {
    recipe: 'cold standby',
    name: 'a task that runs here is not claimed again',
    file: 'packages/coordination/src/recipes/cold-standby.ts',
    text: 'return !this.#running.has(task) && this',
    without: 'return this',
  },
  {
    recipe: 'cold standby',
    name: 'room is limited',
    file: 'packages/coordination/src/recipes/cold-standby.ts',
    text: 'this.#running.size >= (this.#options.tasksMax ?? tasksMaxDefault)',
    without: 'this.#running.size >= 10',
  },
  {
    recipe: 'cold standby',
    name: 'claims are watched',
    file: 'packages/coordination/src/recipes/cold-standby.ts',
    text: 'this.#session.children(`${path}/claims`, turn)',
    without: 'this.#session.children(`${path}/claims`, { signal })',
  },
]
