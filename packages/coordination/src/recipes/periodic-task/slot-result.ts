// What the run of a slot resolved with: operations that are committed behind the two that end its claim (endOperations).

import { atOperation, ZooKeeperError } from '../../session/errors.ts'
import { assertGiven, is } from '../../session/given.ts'
import type { Operation } from '../../session/nodes.ts'
import { assertOperations, writeOps } from '../../session/records.ts'

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

/**
 * Throws the error of an operation of the run, its place counted among those. The two before it could be done then, and have
 * not been: not by an earlier attempt either.
 */
export function refuseOf(thrown: unknown): void {
  if (!(thrown instanceof ZooKeeperError) || thrown.operationIndex === undefined || thrown.operationIndex < 2) return
  const { code, message, operationIndex, cause } = atOperation(
    thrown,
    thrown.operationIndex - 2,
    'what run resolved with',
  )
  throw new ZooKeeperError(code, message, { outcome: 'not-done', operationIndex, cause })
}
