import { afterAll, beforeAll, describe, test } from '@jest/globals'
import { ownServers, type Servers } from '../../../packages/coordination/test/world/servers.ts'
import { inWorldOn, type Client } from '../../../packages/coordination/test/world/world.ts'
import { nothingHeld } from './nothing-held.ts'
import { recipes } from './recipes.ts'

let servers: Servers
beforeAll(async () => {
  servers = await ownServers()
})
afterAll(() => servers.close())

/** Kills the servers on `ports`; when this resolves the others, or they themselves again, serve all clients. */
async function kill(ports: readonly number[], clients: readonly Client[]): Promise<void> {
  const suspended = clients.map(({ reaches }) => reaches('suspended'))
  await Promise.all(ports.map((port) => servers.kill(port)))
  for (const { network } of clients) network.weather = 'refusing' // not to wait for servers that accept before they serve
  await Promise.all(suspended)
  if (ports.length === servers.ports.length) await servers.heal()
  await servers.leader()
  for (const { network } of clients) network.weather = 'through'
  await Promise.all(clients.map(({ reaches }) => reaches('connected')))
}

describe.each([
  ['the leader is killed while all hold', async () => [await servers.leader()]],
  ['all servers are killed while all hold, and started again', () => Promise.resolve(servers.ports)],
])('%s', (_, whom) => {
  const ends = new Map<string, PromiseSettledResult<void>>()

  // All recipes at once, so that the servers are killed once.
  beforeAll(
    inWorldOn(
      () => Promise.resolve(servers),
      async (world) => {
        const names = Object.keys(recipes)
        const observer = await world.session({ sessionTimeoutMs: 30_000 })
        const clients: Client[] = [observer]
        const together = meeting(names.length, async () => kill(await whom(), clients))
        const stories = Object.values(recipes).map(async (recipe, index) => {
          const path = `${world.root}/${index}`
          const open = async (): Promise<Client> => {
            const client = await world.session({ sessionTimeoutMs: 30_000 })
            await client.session.sync(world.root)
            clients.push(client)
            return client
          }
          const strikes = { prepare: () => undefined, strike: () => together.arrive(index), endsSession: false }
          await recipe({ path, open, eventually: world.eventually, ...strikes }).finally(() => {
            together.leave(index)
          })
          await nothingHeld(observer, path)
        })
        for (const [index, end] of (await Promise.allSettled(stories)).entries()) ends.set(names[index] ?? '', end)
      },
    ),
  )

  test.each(Object.keys(recipes))('%s', (name) => {
    const end = ends.get(name)
    if (end?.status !== 'fulfilled') throw end?.reason ?? new Error('its story was not reported')
  })
})

/** Who arrives waits until the others have arrived or ended before; then `act` is done, once, and all go on. */
function meeting(
  count: number,
  act: () => Promise<void>,
): { readonly arrive: (who: number) => Promise<void>; readonly leave: (who: number) => void } {
  const missing = new Set(Array.from({ length: count }, (_, who) => who))
  let begin: () => void = () => undefined
  const acted = new Promise<void>((resolve) => (begin = resolve)).then(act)
  const leave = (who: number): void => {
    missing.delete(who)
    if (missing.size === 0) begin()
  }
  return {
    arrive: (who) => {
      leave(who)
      return acted
    },
    leave,
  }
}
