import { ignoring } from '../session/contract/errors.ts'
import type { Stat } from '../session/contract/nodes.ts'
import type { ReadOptions, ZooKeeperSession } from '../session/contract/session.ts'

/** Reads a node; undefined if it is absent. A watch is left on one that is there, and on no other: nothing would fire it. */
export function getOrUndefined(
  session: Pick<ZooKeeperSession, 'get'>,
  path: string,
  options?: ReadOptions,
): Promise<{ readonly data: Buffer; readonly stat: Stat } | undefined> {
  return ignoring(session.get(path, options), 'no-node')
}
