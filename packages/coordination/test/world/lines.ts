import type { ZooKeeperSession } from '../../src/index.ts'

/** Resolves when so many stand in the line; the session has seen then all that was written before. */
export async function untilInLine(session: ZooKeeperSession, path: string, count: number): Promise<void> {
  for (;;) {
    await session.sync(path)
    if ((await session.exists(path))?.numChildren === count) return
  }
}

/**
 * From now on, which of these list the line again, by index: each call lets what is under way happen, and reports who has
 * since the last.
 */
export async function wokenOf(
  sessions: readonly ZooKeeperSession[],
  path: string,
): Promise<() => Promise<ReadonlySet<number>>> {
  const woken = new Set<number>()
  const settle = async (): Promise<ReadonlySet<number>> => {
    for (let round = 0; round < 4; round += 1) for (const session of sessions) await session.sync(path)
    const seen = new Set(woken)
    woken.clear()
    return seen
  }
  await settle()
  for (const [index, session] of sessions.entries()) {
    const children = session.children.bind(session)
    session.children = (...call) => {
      woken.add(index)
      return children(...call)
    }
  }
  return settle
}
