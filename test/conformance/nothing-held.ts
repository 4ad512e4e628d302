import type { ZooKeeperSession } from '@catchment/coordination'
import { eventually } from '@catchment/testing'
import type { Client } from '../../packages/coordination/test/world.ts'

/** After a story: none of its clients, which are still connected, has left an ephemeral behind. */
export async function nothingHeld({ session }: Client, path: string): Promise<void> {
  await eventually('what was held to be gone', async () => {
    await session.sync(path)
    const held = await heldBelow(session, path)
    if (held.length > 0) throw new Error(`there is still ${held.join(', ')}`)
    return true
  })
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
