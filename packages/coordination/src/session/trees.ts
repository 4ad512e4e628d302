// Operations on more than one node, made of single ones.

import { isCode, ZooKeeperError } from './errors.ts'
import { assertCallOptions, assertPath } from './given.ts'
import type { CallOptions, ZooKeeperSession } from './session.ts'
import { sharedDeadline } from './shared-deadline.ts'

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
    try {
      await session.create(absent, new Uint8Array(), 'persistent', left)
    } catch (thrown) {
      if (!isCode(thrown, 'node-exists')) throw thrown
    }
}

/** Deletes `path` and what is below it, from the leaves. */
export async function deleteTree(session: Deleting, path: string, options: CallOptions = {}): Promise<void> {
  const attempt = `delete the tree ${path}`
  assertPath(attempt, path)
  assertCallOptions(attempt, options)
  if (path === '/')
    throw new ZooKeeperError('bad-arguments', `${attempt}: the root cannot be deleted; name what is below it`)
  const left = sharedDeadline(session, options)
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { names } = await session.children(path, left)
      for (let first = 0; first < names.length; first += deletesAtOnce) {
        const some = names.slice(first, first + deletesAtOnce).map((name) => `${path}/${name}`)
        const trees = await Promise.all(some.map((child) => deletesLeaf(session, child, left)))
        for (const tree of trees) if (tree !== undefined) await deleteTree(session, tree, left)
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
