// Operations on more than one node, made of single ones.

import { asError } from '@catchment/runtime'
import { isCode, ignoring, withOutcome, ZooKeeperError } from './contract/errors.ts'
import { assertCallOptions, assertPath } from './contract/given.ts'
import type { CallOptions, ZooKeeperSession } from './contract/session.ts'
import { sharedDeadline } from './calls/shared-deadline.ts'

type Making = Pick<ZooKeeperSession, 'clock' | 'create' | 'exists'>
type Deleting = Pick<ZooKeeperSession, 'clock' | 'children' | 'delete'>

/** How many siblings are deleted at once. */
const deletesAtOnce = 100
/** Others may create below while we delete: then it is tried again, this often. */
const deleteAttemptsMax = 10

/** Creates what is missing of `path`, from the top. */
export async function ensurePath(session: Making, path: string, options: CallOptions = {}): Promise<void> {
  const attempt = `ensure ${path}`
  assertPath(attempt, path)
  assertCallOptions(attempt, options)
  const left = sharedDeadline(session, options)
  const missing: string[] = []
  for (let above = path; above !== '' && (await session.exists(above, left)) === undefined; above = parentOf(above))
    missing.push(above)
  for (const absent of missing.toReversed())
    await ignoring(session.create(absent, new Uint8Array(), 'persistent', left), 'node-exists')
}

/** Deletes `path` and what is below it, from the leaves. One that fails when something may be gone is `unknown`. */
export async function deleteTree(session: Deleting, path: string, options: CallOptions = {}): Promise<void> {
  const attempt = `delete the tree ${path}`
  assertPath(attempt, path)
  assertCallOptions(attempt, options)
  if (path === '/')
    throw new ZooKeeperError('bad-arguments', `${attempt}: the root cannot be deleted; name what is below it`)
  const gone = { some: false }
  const deleting: Deleting = {
    clock: session.clock,
    children: (...call) => session.children(...call),
    delete: async (...call) => {
      try {
        await session.delete(...call)
        gone.some = true
      } catch (thrown) {
        gone.some ||= thrown instanceof ZooKeeperError && thrown.outcome === 'unknown'
        throw thrown
      }
    },
  }
  try {
    await deleteAll(deleting, path, sharedDeadline(session, options))
  } catch (thrown) {
    if (!gone.some || !(thrown instanceof ZooKeeperError)) throw thrown
    throw withOutcome(thrown, 'unknown')
  }
}

/** When it ends, no delete of it is under way. */
async function deleteAll(session: Deleting, path: string, left: CallOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { names } = await session.children(path, left)
      for (let first = 0; first < names.length; first += deletesAtOnce) {
        const some = names.slice(first, first + deletesAtOnce).map((name) => `${path}/${name}`)
        const trees = await Promise.allSettled(some.map((child) => deletesLeaf(session, child, left)))
        for (const tree of trees) if (tree.status === 'rejected') throw asError(tree.reason)
        for (const tree of trees)
          if (tree.status === 'fulfilled' && tree.value !== undefined) await deleteAll(session, tree.value, left)
      }
      await session.delete(path, 'any', left)
      return
    } catch (thrown) {
      if (isCode(thrown, 'no-node')) return
      if (!isCode(thrown, 'not-empty') || attempt === deleteAttemptsMax) throw thrown
    }
  }
}

/** Most nodes are leaves: only what turns out to have children, which is returned, has to be listed. */
async function deletesLeaf(session: Deleting, path: string, options: CallOptions): Promise<string | undefined> {
  try {
    await session.delete(path, 'any', options)
  } catch (thrown) {
    if (isCode(thrown, 'not-empty')) return path
    if (!isCode(thrown, 'no-node')) throw thrown
  }
  return undefined
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
