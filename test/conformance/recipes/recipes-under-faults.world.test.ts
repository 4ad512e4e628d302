import { describe, test } from '@jest/globals'
import { inWorld, type Client } from '../../../packages/coordination/test/world/world.ts'
import { faults } from './faults.ts'
import { nothingHeld } from './nothing-held.ts'
import { recipes } from './recipes.ts'

describe.each(faults)('$name', ({ prepare, strike, endsSession }) => {
  test.concurrent.each(Object.entries(recipes))('%s', (_, recipe) =>
    inWorld(async (world) => {
      const path = `${world.root}/recipe`
      const observer = await world.session()
      const clients: Client[] = []
      const victim = (): Client => clients[0] ?? observer
      await recipe({
        path,
        endsSession,
        eventually: world.eventually,
        open: async () => {
          const client = await world.session({ sessionTimeoutMs: 2_000 })
          clients.push(client)
          await client.session.sync(world.root)
          return client
        },
        prepare: () => {
          prepare(victim())
        },
        strike: () => strike(victim(), world),
      })
      await nothingHeld(observer, path)
    })(),
  )
})
