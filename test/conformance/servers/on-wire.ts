// Stories that a client of bare packets reports, in a world (any kind of server).

import { inWorld, type World } from '../../../packages/coordination/test/world/world.ts'
import type { RawClient } from '../../../packages/embedded-zookeeper/test/raw-client.ts'
import { ask, body, stat, hear, type Stat } from './wire.ts'

/** Runs `story` with a client of its own and a node of its own, which is there. */
export function onWire(story: (client: RawClient, at: string, world: World) => Promise<void>): () => Promise<void> {
  return inWorld(async (world) => {
    const client = await world.raw()
    await hear(client, body.create(world.root))
    await story(client, world.root, world)
  })
}

export async function statOf(client: RawClient, at: string): Promise<Stat> {
  return (await ask(client, body.exists(at), stat)).value
}
