import type { Guard } from './guard.ts'

/** The guards of what stands in line to hold: the locks and the semaphore, and what they stand on. */
export const lockGuards: readonly Guard[] = [
  {
    recipe: 'exclusive lock, closed',
    name: 'closed before a server is notified',
    file: 'packages/coordination/src/session/connection/keeper.ts',
    text: `    this.states.become('closed', { reason })
    if (connection !== undefined)
      await this.#farewell(connection, timeoutMs ?? Math.min(closeTimeoutMsMax, this.#timeoutMs / 3), signal)
`,
    without: `    if (connection !== undefined)
      await this.#farewell(connection, timeoutMs ?? Math.min(closeTimeoutMsMax, this.#timeoutMs / 3), signal)
    this.states.become('closed', { reason })
`,
  },
  {
    recipe: 'exclusive lock',
    name: 'held looks at the clock',
    file: 'packages/coordination/src/line/hold.ts',
    text: "!this.#inDoubt && this.#session.state === 'connected'",
    without: '!this.#inDoubt',
  },
  {
    recipe: 'exclusive lock',
    name: 'a lost session ends the hold',
    file: 'packages/coordination/src/line/hold.ts',
    text: "else if (state !== 'connected') this.#end(",
    without: "else if (state === 'closed') this.#end(",
  },
  {
    recipe: 'exclusive lock, fenced',
    name: 'in doubt after a suspension',
    file: 'packages/coordination/src/line/hold.ts',
    text: "if (state === 'suspended') this.#inDoubt = true",
    without: "if (state === 'suspended') this.#inDoubt = false",
  },
  {
    recipe: 'exclusive lock, fenced',
    name: 'the holder watches its node',
    file: 'packages/coordination/src/line/hold.ts',
    text: 'const stat = await this.#session.exists(this.#held.node, turn)',
    without:
      'const stat = await this.#session.exists(this.#held.node, { signal: turn.signal, generation: turn.generation })',
  },
  {
    recipe: 'exclusive lock',
    name: 'what may have been created is looked for',
    file: 'packages/coordination/src/line/line.ts',
    text: 'if (this.#own === undefined && this.#inDoubt) this',
    without: 'if (this.#own === null) this',
  },
  {
    recipe: 'exclusive lock',
    name: 'what may have been created is removed',
    file: 'packages/coordination/src/line/line.ts',
    text: 'const names = this.#inDoubt ? await this.#found(call) : this.#own === undefined ? [] : [this.#own.name]',
    without: 'const names = this.#own === undefined ? [] : [this.#own.name]',
  },
  {
    recipe: 'exclusive lock',
    name: 'leaving is repeated',
    file: 'packages/coordination/src/line/line.ts',
    text: "if (!isCode(thrown, 'session-lost', 'closed')) throw thrown",
    without: "if (isCode(thrown, 'not-empty')) throw thrown",
  },
  {
    recipe: 'exclusive lock',
    name: 'a node is created in its session only',
    file: 'packages/coordination/src/line/line.ts',
    text: 'const call = { generation: this.generation, ...(signal === undefined ? {} : { signal }) }',
    without: 'const call = signal === undefined ? {} : { signal }',
  },
  {
    recipe: 'exclusive lock',
    name: 'the one before is watched',
    file: 'packages/coordination/src/line/acquisition.ts',
    text: 'if ((await session.exists(before, turn)) !== undefined)',
    without: 'if ((await session.exists(before, { signal, generation })) !== undefined)',
  },
  {
    recipe: 'exclusive lock',
    name: 'the one before may have left',
    file: 'packages/coordination/src/line/acquisition.ts',
    text: 'if ((await session.exists(before, turn)) !== undefined) return',
    without: 'if ((await session.exists(before, turn)) !== null) return',
  },
  {
    recipe: 'exclusive lock',
    name: 'a place of each session',
    file: 'packages/coordination/src/line/acquisition.ts',
    text: 'if (this.#place?.generation === generation) return this.#place',
    without: 'if (this.#place !== undefined) return this.#place',
  },
  {
    recipe: 'exclusive lock, fenced',
    name: 'who is not in line stands again',
    file: 'packages/coordination/src/line/acquisition.ts',
    text: '      this.#place = undefined\n    }',
    without: '    }',
  },
  {
    recipe: 'exclusive lock',
    name: 'who gives up leaves',
    file: 'packages/coordination/src/line/owners.ts',
    text: 'await owned.acquisition.giveUp()',
    without: '',
  },
  {
    recipe: 'exclusive lock',
    name: 'one before is enough to wait',
    file: 'packages/coordination/src/line/acquisition.ts',
    text: 'const before = line[place - 1]',
    without: 'const before = line[place - 2]',
  },
  {
    recipe: 'shared lock',
    name: 'a writer waits for readers',
    file: 'packages/coordination/src/recipes/lock/shared-lock.ts',
    text: 'isWriter(own) ? before.at(-1) : before.findLast(isWriter)',
    without: 'before.findLast(isWriter)',
  },
  {
    recipe: 'shared lock',
    name: 'a reader waits for writers',
    file: 'packages/coordination/src/recipes/lock/shared-lock.ts',
    text: 'isWriter(own) ? before.at(-1) : before.findLast(isWriter)',
    without: 'isWriter(own) ? before.at(-1) : undefined',
  },
  {
    recipe: 'semaphore',
    name: 'who holds marks its node',
    file: 'packages/coordination/src/recipes/lock/semaphore.ts',
    text: "{ op: 'set', path: `${path}/${own}`, data, version: 'any' },",
    without: "{ op: 'check', path: `${path}/${own}`, version: 'any' },",
  },
  {
    recipe: 'semaphore',
    name: 'one that is marked already is not waited for',
    file: 'packages/coordination/src/recipes/lock/semaphore.ts',
    text: 'if (before.version === 0) return decision',
    without: 'return decision',
  },
  {
    recipe: 'semaphore',
    name: 'the list that leaves the watch decides',
    file: 'packages/coordination/src/recipes/lock/semaphore.ts',
    text: 'return decideLease(await readLine(session, path, turn), own, leases)',
    without: "await readLine(session, path, turn)\n      return 'first'",
  },
  {
    recipe: 'semaphore',
    name: 'the first that waits watches the line',
    file: 'packages/coordination/src/recipes/lock/semaphore.ts',
    text: 'return decideLease(await readLine(session, path, turn), own, leases)',
    without: 'return decideLease(await readLine(session, path, { signal, generation }), own, leases)',
  },
  {
    recipe: 'semaphore',
    name: 'one before that left is no one to wait for',
    file: 'packages/coordination/src/recipes/lock/semaphore.ts',
    text: 'if (before === undefined) continue',
    without: 'if (before === undefined) return decision',
  },
  {
    recipe: 'semaphore, resized',
    name: 'the number is watched',
    file: 'packages/coordination/src/recipes/lock/agreed-leases.ts',
    text: 'const found = await getOrUndefined(session, path, turn)',
    without: 'const found = await getOrUndefined(session, path, { signal: turn.signal, generation: turn.generation })',
  },
]
