import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually, FakeClock, seededRandom } from '@catchment/testing'
import { startServer, type ServerOptions, type ZookeeperServer } from '../src/server.ts'
import { RawClient } from './raw-client.ts'

let server: ZookeeperServer

const started = (limits: ServerOptions['limits'] = {}): Promise<ZookeeperServer> =>
  startServer({ listen: { host: '127.0.0.1', port: 0 }, clock: new FakeClock(), random: seededRandom(1), limits })

beforeEach(async () => {
  server = await started({ unsentBytesMax: 4_000_000, watchesPerConnectionMax: 2 })
})

afterEach(async () => {
  await server.close()
})

describe('a connection', () => {
  test('whose peer does not read is read no further, and answered in full when it reads again', async () => {
    const client = await RawClient.open(server.port)
    await client.create('/big')
    await client.setData('/big', 'x'.repeat(500_000))
    client.stopReading()
    const replies = Promise.all(Array.from({ length: 60 }, () => client.getData('/big')))
    let received = -1
    await eventually('the server to stop reading', () => {
      const still = server.stats.packetsReceived === received && received > 3
      received = server.stats.packetsReceived
      return still
    })
    expect(server.stats.packetsReceived).toBeLessThan(63)
    client.readAgain()
    expect((await replies).map(({ error }) => error)).toEqual(Array.from({ length: 60 }, () => 0))
    expect(server.stats.closed.size).toBe(0)
    client.destroy()
  })

  test('that sets more watches than watchesPerConnectionMax is closed', async () => {
    const client = await RawClient.open(server.port)
    await client.exists('/a', true)
    await client.exists('/b', true)
    await client.exists('/b', true)
    void client.exists('/c', true).catch(() => undefined)
    await client.closed
    expect(server.stats.closed.get('tooManyWatches')).toBe(1)
  })
})
