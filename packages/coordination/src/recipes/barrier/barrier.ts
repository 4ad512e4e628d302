import { ignoring } from '../../session/contract/errors.ts'
import { assertCallOptions, assertGiven, is } from '../../session/contract/given.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'
import { followUntil } from '../../following/follow-until.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export interface BarrierOptions {
  /** The node that is the barrier: while it exists, it is set. Its parents are made if they are missing. */
  readonly path: string
}

const optionRules = is.options<BarrierOptions>({ path: is.pathBelowRoot })

export interface Barrier {
  /** Resolves when it is set, by whomever. */
  set(options?: CallOptions): Promise<void>
  /** Resolves when it is not set: all who wait go on. */
  remove(options?: CallOptions): Promise<void>
  /** Resolves at once if it is not set, else when it has been removed. */
  wait(options?: CallOptions): Promise<void>
}

/**
 * A barrier that someone sets and removes and others wait at. Source: ZooKeeper recipes, "Barriers".
 *
 * Protocol: `path` is a persistent node without data, so it stays set when the one who set it dies. Who waits syncs, then
 * watches the node; its removal wakes all who wait, once each, which is what a barrier is for.
 *
 * Guarantees: a removal lets everyone go on who was waiting, even if it is set again before they look (they know the node
 * that they wait at by its czxid); a wait that begins after a `set` has resolved, anywhere, does not miss it.
 * `set` and `remove` say what shall be, and are repeated when their answer is lost: a `set` under way while another removes
 * may set it after that removal.
 *
 * Suspended or lost: every call goes on when the session is connected again; nothing here belongs to a session. Each call
 * waits without limit unless `timeoutMs` is given, and ends with `timeout`, `aborted` or `closed`.
 *
 * Throws `bad-arguments`.
 */
export function barrier(session: ZooKeeperSession, options: BarrierOptions): Barrier {
  assertGiven('make barrier', { session, options }, { options: optionRules })
  const { path } = options
  return {
    async set(call) {
      assertCallOptions(`set barrier ${path}`, call)
      await untilAnswered(session, create, call)
    },
    async remove(call) {
      assertCallOptions(`remove barrier ${path}`, call)
      await untilAnswered(session, (each) => ignoring(session.delete(path, 'any', each), 'no-node'), call)
    },
    async wait(call) {
      let waitingAt: string | undefined
      await followUntil(
        session,
        {
          name: `wait at barrier ${path}`,
          path,
          turn: async (turn) => {
            const stat = await session.exists(path, turn)
            waitingAt ??= stat?.czxid
            return stat === undefined || stat.czxid !== waitingAt ? true : undefined
          },
        },
        call,
      )
    },
  }

  async function create(call: CallOptions): Promise<void> {
    await session.sync(path, call) // our server may not know yet that it was removed
    await session.ensurePath(path, call)
  }
}
