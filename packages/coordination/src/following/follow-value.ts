import { getOrUndefined } from '../calls/get-or-undefined.ts'
import { assertGiven, is } from '../session/given.ts'
import { tell } from '../session/tell.ts'
import { Following, type Turn } from './following.ts'
import type { Stat } from '../session/nodes.ts'
import type { ZooKeeperSession } from '../session/session.ts'

export interface FollowValueOptions {
  /** The data, undefined while the node is absent (`stat` with it). Called first with what is there, then on change. */
  readonly onValue: (data: Buffer | undefined, stat: Stat | undefined) => void
  /** True: what was delivered may be old (session suspended or lost). False: it has been read again. */
  readonly onStale?: (stale: boolean) => void
  /** Reads again this often even if no watch fires; 30 s unless given. */
  readonly rereadMs?: number
}

const optionRules = is.options<FollowValueOptions>({
  onValue: is.callback,
  onStale: is.optional(is.callback),
  rereadMs: is.optional(is.milliseconds),
})

export interface Value {
  readonly data: Buffer | undefined
  readonly stat: Stat | undefined
}

export interface FollowedValue {
  /** True until the first read, and from `suspended` until the read after the reconnect. */
  readonly stale: boolean
  /** Sync, then read: resolves with nothing older than this call, delivered before. Rejects if that read fails. */
  refresh(): Promise<Value>
  close(): Promise<void>
}

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
  let delivered: string | undefined
  const following = new Following<Value>(session, {
    name: `value ${path}`,
    path,
    rereadMs: options.rereadMs,
    onStale: (stale) => options.onStale?.(stale),
    turn: (turn) => readValue(session, path, turn),
    deliver: ({ data, stat }) => {
      // By time too: a server that lost its data numbers its transactions anew.
      const found = stat === undefined ? 'absent' : `${stat.mzxid} ${stat.mtimeMs}`
      if (found === delivered) return
      delivered = found
      tell(session.log, `onValue of ${path}`, options.onValue.bind(options), data, stat)
    },
  })
  return {
    get stale() {
      return following.stale
    },
    refresh: () => following.refresh(true),
    close: () => following.close(),
  }
}

/** Reads a node that may be absent, and leaves a watch in either case. */
export async function readValue(session: ZooKeeperSession, path: string, turn: Turn): Promise<Value> {
  for (;;) {
    const found = await getOrUndefined(session, path, turn)
    if (found !== undefined) return found
    if ((await session.exists(path, turn)) === undefined) return { data: undefined, stat: undefined }
  }
}
