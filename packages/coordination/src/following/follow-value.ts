import { getOrUndefined } from '../attempts/get-or-undefined.ts'
import { assertGiven, is } from '../session/contract/given.ts'
import { notify } from '../session/contract/notify.ts'
import { followLatest, followRules, type Followed, type FollowOptions } from './follow-latest.ts'
import type { Turn } from './following.ts'
import type { Stat } from '../session/contract/nodes.ts'
import type { ZooKeeperSession } from '../session/contract/session.ts'

export interface FollowValueOptions extends FollowOptions {
  /** The data, undefined while the node is absent (`stat` with it). Called first with what is there, then on change. */
  readonly onValue: (data: Buffer | undefined, stat: Stat | undefined) => void
}

const optionRules = is.options<FollowValueOptions>({ onValue: is.callback, ...followRules })

export interface Value {
  readonly data: Buffer | undefined
  readonly stat: Stat | undefined
}

export type FollowedValue = Followed<Value>

/**
 * Follows one node's data.
 *
 * Protocol: read with a watch (exists with a watch while it is absent); when it fires, read again. Read again also after
 * every reconnect and, after a sync, in every new session, and every `rereadMs`.
 *
 * Guarantees: each change is delivered at least as its latest state (states between may be skipped), never an older state
 * after a newer one. Suspended or lost: `onStale(true)`, and the last value stands.
 *
 * Throws `bad-arguments`.
 */
export function followValue(session: ZooKeeperSession, path: string, options: FollowValueOptions): FollowedValue {
  assertGiven('follow value', { session, path, options }, { path: is.path, options: optionRules })
  return followLatest<Value>(session, {
    ...{ name: `value ${path}`, path, options },
    turn: (turn) => readValue(session, path, turn),
    // By time too: a server that lost its data numbers its transactions from the start again.
    keyOf: ({ stat }) => (stat === undefined ? 'absent' : `${stat.mzxid} ${stat.mtimeMs}`),
    onChange: ({ data, stat }) => {
      notify(session.log, `onValue of ${path}`, options.onValue.bind(options), data, stat)
    },
  })
}

/** Reads a node that may be absent, and leaves a watch in either case. */
export async function readValue(session: ZooKeeperSession, path: string, turn: Turn): Promise<Value> {
  for (;;) {
    const found = await getOrUndefined(session, path, turn)
    if (found !== undefined) return found
    if ((await session.exists(path, turn)) === undefined) return { data: undefined, stat: undefined }
  }
}
