import { getOrUndefined } from '../attempts/get-or-undefined.ts'
import { readLine } from './line.ts'
import { tokenOf } from './hold.ts'
import { assertCallOptions } from '../session/contract/given.ts'
import { sharedDeadline } from '../session/calls/shared-deadline.ts'
import type { Stat } from '../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../session/contract/session.ts'

/** How many are listed, the first in line; the rest is left out. */
const contendersMax = 1_000

/** One that stands in a line. */
export interface Contender {
  readonly id: string
  /** Path of its node: deleting it takes the hold, or the place, away. */
  readonly node: string
  /** By the server's clock, ms since 1970. */
  readonly sinceMs: number
  /** Its fencing token, once it holds. */
  readonly token: bigint
  readonly holds: boolean
}

/** A place as it was read, and the whole line in order. */
export interface Standing {
  readonly name: string
  readonly stat: Stat
  readonly line: readonly string[]
}

/** Who stands in the line, in order, as of this call; at most the first 1,000. Those that leave meanwhile are left out. */
export async function listContenders(
  session: ZooKeeperSession,
  path: string,
  holds: (standing: Standing) => boolean,
  call: CallOptions = {},
): Promise<Contender[]> {
  assertCallOptions(`list the contenders of ${path}`, call)
  const left = sharedDeadline(session, call)
  await session.sync(path, left)
  const line = await readLine(session, path, left)
  const read = async (name: string): Promise<Contender[]> => {
    const node = `${path}/${name}`
    const found = await getOrUndefined(session, node, left)
    if (found === undefined) return []
    const { data, stat } = found
    const id = data.toString('utf8')
    return [{ id, node, sinceMs: stat.ctimeMs, token: tokenOf(stat), holds: holds({ name, stat, line }) }]
  }
  return (await Promise.all(line.slice(0, contendersMax).map(read))).flat()
}
