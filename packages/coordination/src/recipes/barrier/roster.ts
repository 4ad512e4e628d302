import { asError } from '@catchment/runtime'
import { ZooKeeperError } from '../../session/contract/errors.ts'
import type { Turn } from '../../following/following.ts'
import type { ZooKeeperSession } from '../../session/contract/session.ts'

/** Who makes up a round of a double barrier: the data of its node, `{"round":3,"members":["9f0c…-member-0000000007"]}`. */
export interface Roster {
  /** Of the round, from 1; 0 before the first. */
  readonly number: number
  readonly members: readonly string[]
  /** Of the node. */
  readonly version: number
}

/** Before the first round. */
export const emptyRoster = { number: 0, members: [] } as const

export function encodeRoster({ number, members }: Omit<Roster, 'version'>): Uint8Array {
  return Buffer.from(JSON.stringify({ round: number, members }))
}

/** Reads it and watches for the next one. Rejects with `bad-arguments` where the node holds something else. */
export async function readRoster(session: ZooKeeperSession, path: string, turn: Turn): Promise<Roster> {
  const { data, stat } = await session.get(path, turn)
  if (data.length === 0) return { ...emptyRoster, version: stat.version }
  try {
    const parsed: unknown = JSON.parse(data.toString())
    if (typeof parsed !== 'object' || parsed === null) throw new TypeError('it is no object')
    const number = 'round' in parsed ? parsed.round : undefined
    const members: unknown = 'members' in parsed ? parsed.members : undefined
    if (typeof number !== 'number' || !Array.isArray(members)) throw new TypeError('it has no round or no members')
    return { number, members: members.map(String), version: stat.version }
  } catch (thrown) {
    const why = asError(thrown).message
    throw new ZooKeeperError('bad-arguments', `${path} holds no roster of a double barrier: ${why}; use another path`)
  }
}
