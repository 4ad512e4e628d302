import { ignoring } from '../session/contract/errors.ts'
import { assertGiven, is } from '../session/contract/given.ts'
import { notify } from '../session/contract/notify.ts'
import { followLatest, followRules, type Followed, type FollowOptions } from './follow-latest.ts'
import type { Turn } from './following.ts'
import type { ZooKeeperSession } from '../session/contract/session.ts'

export interface FollowChildrenOptions extends FollowOptions {
  /** The names in order; none if the node is absent. Called first with what is there, then on change. */
  readonly onChildren: (names: readonly string[]) => void
}

const optionRules = is.options<FollowChildrenOptions>({ onChildren: is.callback, ...followRules })

export type FollowedChildren = Followed<readonly string[]>

/** Follows the names of one node's children; protocol, guarantees, errors and behaviour when cut off are those of followValue. */
export function followChildren(
  session: ZooKeeperSession,
  path: string,
  options: FollowChildrenOptions,
): FollowedChildren {
  assertGiven('follow children', { session, path, options }, { path: is.path, options: optionRules })
  return followLatest<readonly string[]>(session, {
    ...{ name: `children ${path}`, path, options },
    turn: (turn) => readChildren(session, path, turn),
    keyOf: (names) => names.join('/'),
    onChange: (names) => {
      notify(session.log, `onChildren of ${path}`, options.onChildren.bind(options), names)
    },
  })
}

async function readChildren(session: ZooKeeperSession, path: string, turn: Turn): Promise<readonly string[]> {
  for (;;) {
    const found = await ignoring(session.children(path, turn), 'no-node')
    if (found !== undefined) return found.names.sort()
    if ((await session.exists(path, turn)) === undefined) return []
  }
}
