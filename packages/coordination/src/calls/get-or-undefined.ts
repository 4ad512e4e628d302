import { isCode } from '../session/errors.ts'
import type { Stat } from '../session/nodes.ts'
import type { ReadOptions, ZooKeeperSession } from '../session/session.ts'

/** Reads a node; undefined if it is absent. A watch is left on one that is there, and on no other: nothing would fire it. */
export async function getOrUndefined(
  session: Pick<ZooKeeperSession, 'get'>,
  path: string,
  options?: ReadOptions,
): Promise<{ readonly data: Buffer; readonly stat: Stat } | undefined> {
  try {
    return await session.get(path, options)
  } catch (thrown) {
    if (isCode(thrown, 'no-node')) return undefined
    throw thrown
  }
}
