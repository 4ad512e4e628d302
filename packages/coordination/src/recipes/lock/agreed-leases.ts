import { ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, is } from '../../session/contract/given.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'
import type { Turn } from '../../following/following.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/** What leases are counted by: nine digits. */
export const leasesRule = is.wholeNumber(1, 999_999_999)

const resizeRules = is.options<{ path: string; leases: number }>({ path: is.pathBelowRoot, leases: leasesRule })

/** How many leases a semaphore has, and the version of the node that says so. */
export interface Agreement {
  readonly leases: number
  readonly version: number
}

/**
 * Reads the number of leases in the data of `path`, decimal digits, and leaves a watch there; undefined if the node is
 * gone. Where there is none it writes `expected`. Rejects with `refused` if there is another, or no number at all; once
 * they have agreed, an operator's change is followed.
 */
export function agreedLeases(
  session: ZooKeeperSession,
  path: string,
  expected: number | undefined,
): (turn: Turn) => Promise<Agreement | undefined> {
  let agreed = false

  return async (turn) => {
    for (;;) {
      const found = await getOrUndefined(session, path, turn)
      if (found === undefined) return undefined
      const { version } = found.stat
      const text = found.data.toString('utf8')
      if (text !== '' || expected === undefined) {
        const leases = parse(text)
        if (!agreed && expected !== undefined && leases !== expected)
          throw refused(`has ${leases} leases, this contender was given ${expected}; agree, or resizeSemaphore()`)
        agreed = true
        return { leases, version }
      }
      const { signal, generation } = turn
      const proposal = session.set(path, Buffer.from(String(expected)), version, { signal, generation })
      await ignoring(proposal, 'bad-version', 'no-node')
    }
  }

  function parse(text: string): number {
    if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text)
    const what = text === '' ? 'has no number of leases yet' : `has no number of leases but ${JSON.stringify(text)}`
    throw refused(`${what}; give \`leases\`, or resizeSemaphore()`)
  }

  function refused(why: string): ZooKeeperError {
    return new ZooKeeperError('refused', `acquire a lease: the semaphore ${path} ${why}`)
  }
}

/**
 * Changes the number of leases, an operator's act: it wakes all who wait, and takes no lease away. Repeats itself until it is
 * certain; without `timeoutMs` and `signal` as long as it takes. Rejects with `bad-arguments`, `timeout`, `aborted`, `closed`,
 * `no-auth`, ….
 */
export async function resizeSemaphore(
  session: ZooKeeperSession,
  options: { readonly path: string; readonly leases: number },
  call?: CallOptions,
): Promise<void> {
  assertGiven('resize semaphore', { session, options, call }, { options: resizeRules, call: callOptions })
  const { path, leases } = options
  const resize = async (each: CallOptions): Promise<void> => {
    await session.sync(path, each) // our server may not know yet that the node is gone
    await session.ensurePath(path, each)
    await session.set(path, Buffer.from(String(leases)), 'any', each)
  }
  await untilAnswered(session, resize, call)
}
