import { isCode } from '../session/errors.ts'
import { assertGiven, is } from '../session/given.ts'
import { tell } from '../session/tell.ts'
import { Following, type Turn } from './following.ts'
import type { ZooKeeperSession } from '../session/session.ts'

export interface FollowChildrenOptions {
  /** The names in order; none if the node is absent. Called first with what is there, then on change. */
  readonly onChildren: (names: readonly string[]) => void
  readonly onStale?: (stale: boolean) => void
  /** Reads again this often even if no watch fires; 30 s unless given. */
  readonly rereadMs?: number
}

const optionRules = is.options<FollowChildrenOptions>({
  onChildren: is.callback,
  onStale: is.optional(is.callback),
  rereadMs: is.optional(is.milliseconds),
})

export interface FollowedChildren {
  readonly stale: boolean
  /** Sync, then read: resolves with nothing older than this call, delivered before. */
  refresh(): Promise<readonly string[]>
  close(): Promise<void>
}

/** Follows the names of one node's children; protocol, guarantees, errors and behaviour when cut off are those of followValue. */
export function followChildren(
  session: ZooKeeperSession,
  path: string,
  options: FollowChildrenOptions,
): FollowedChildren {
  assertGiven('follow children', { session, path, options }, { path: is.path, options: optionRules })
  let delivered: string | undefined
  const following = new Following<readonly string[]>(session, {
    name: `children ${path}`,
    path,
    rereadMs: options.rereadMs,
    onStale: (stale) => options.onStale?.(stale),
    turn: (turn) => readChildren(session, path, turn),
    deliver: (names) => {
      const found = names.join('/')
      if (found === delivered) return
      delivered = found
      tell(session.log, `onChildren of ${path}`, options.onChildren.bind(options), names)
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

async function readChildren(session: ZooKeeperSession, path: string, turn: Turn): Promise<readonly string[]> {
  for (;;) {
    try {
      return (await session.children(path, turn)).names.sort()
    } catch (thrown) {
      if (!isCode(thrown, 'no-node')) throw thrown
    }
    if ((await session.exists(path, turn)) === undefined) return []
  }
}
