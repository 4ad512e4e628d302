// What happens to one client of a recipe. A fault of requests is prepared before the client begins something and strikes its
// next request; the others strike while it is at rest, holding what it holds. When `strike` resolves, the network is whole.

import type { Client, World } from '../../../packages/coordination/test/world/world.ts'

export interface Fault {
  readonly name: string
  /** Whether the client's session is over afterwards, and all that it held with it. */
  readonly endsSession: boolean
  /** Before the client begins. */
  readonly prepare: (client: Client) => void
  /** While it holds. */
  readonly strike: (client: Client, world: World) => Promise<void>
}

const atRequest = (name: string, prepare: (client: Client) => void): Fault => ({
  name,
  endsSession: false,
  prepare,
  strike: () => Promise.resolve(),
})
const atRest = (name: string, endsSession: boolean, strike: Fault['strike']): Fault => ({
  name,
  endsSession,
  prepare: () => undefined,
  strike,
})

export const faults: readonly Fault[] = [
  atRequest('cut before its first request reaches the server', ({ network }) => void network.cutBefore('any')),
  atRequest('cut before its first write reaches the server', ({ network }) => void network.cutBefore('write')),
  atRequest('cut after its first write, before the answer', ({ network }) => void network.cutAfter('write')),
  atRequest('cut after its first two writes, before the answers', ({ network }) => {
    void network.cutAfter('write').then(() => network.cutAfter('write'))
  }),
  atRest('connection cut while it holds', false, async ({ network, reaches }) => {
    const suspended = reaches('suspended')
    network.cut()
    await suspended
    await reaches('connected')
  }),
  atRest('silent network, shorter than the session', false, async ({ network, reaches }) => {
    network.weather = 'stalled'
    await reaches('suspended')
    network.weather = 'refusing'
    network.weather = 'through'
    await reaches('connected')
  }),
  atRest('silent network, longer than the session', true, async ({ network, reaches }) => {
    network.weather = 'stalled'
    await reaches('lost')
    network.weather = 'refusing'
    network.weather = 'through'
    await reaches('connected')
  }),
  atRest('session expired while it holds', true, async (client, world) => {
    const lost = client.reaches('lost')
    await world.expire(client)
    await lost
    await client.reaches('connected')
  }),
]
