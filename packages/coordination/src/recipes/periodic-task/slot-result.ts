// What the run of a slot resolved with: operations that are committed after the two that end its claim (endOperations).

import { assertGiven, is } from '../../session/contract/given.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import { assertOperations, writeOps } from '../../session/requests/records.ts'

const rule = is.that(
  'resolves with a list of operations or nothing',
  (value) => value === undefined || value === null || Array.isArray(value),
)

/** Throws `bad-arguments`, also for what a function without types returned. */
export function operationsOf(
  path: string,
  scheduledMs: number,
  resolved: readonly Operation[] | undefined,
): readonly Operation[] {
  const name = `run of ${path}`
  assertGiven(`commit slot ${scheduledMs}`, { [name]: resolved }, { [name]: rule })
  const operations = resolved ?? []
  assertOperations(name, operations, writeOps)
  return operations
}
