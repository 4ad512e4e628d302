import type { ZooKeeperSession } from '../src/index.ts'

/** Resolves when so many stand in the line; the session has seen then all that was written before. */
export async function untilInLine(session: ZooKeeperSession, path: string, count: number): Promise<void> {
  for (;;) {
    await session.sync(path)
    if ((await session.exists(path))?.numChildren === count) return
  }
}
