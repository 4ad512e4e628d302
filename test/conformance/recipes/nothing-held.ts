import type { ZooKeeperSession } from '@catchment/coordination'
import { eventually, patienceMs } from '@catchment/testing'
import type { Client } from '../../../packages/coordination/test/world/world.ts'

/** After a story: none of its clients, which are still connected, has left an ephemeral behind. */
export async function nothingHeld({ session }: Client, path: string): Promise<void> {
  const gone = async (): Promise<boolean> => {
    await session.sync(path)
    const held = await heldBelow(session, path)
    if (held.length > 0) throw new Error(`there is still ${held.join(', ')}`)
    return true
  }
  await eventually('what was held to be gone', gone, patienceMs, session.clock)
}

async function heldBelow(session: ZooKeeperSession, path: string): Promise<string[]> {
  if ((await session.exists(path)) === undefined) return []
  const { names } = await session.children(path)
  const below = await Promise.all(
    names.map(async (name) => {
      const stat = await session.exists(`${path}/${name}`)
      if (stat?.ephemeralOwner !== undefined) return [`${path}/${name}`]
      return stat === undefined ? [] : heldBelow(session, `${path}/${name}`)
    }),
  )
  return below.flat()
}
