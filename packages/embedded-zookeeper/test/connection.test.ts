import { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually, FakeClock, seededRandom } from '@catchment/testing'
import { opcode, packet } from '@catchment/zookeeper-wire'
import { startServer, type ServerOptions, type ZookeeperServer } from '../src/server/server.ts'
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

  test('to which more is reported than unsentBytesMax while it reads nothing is closed as slow', async () => {
    await server.close()
    server = await started({ unsentBytesMax: 2_000 })
    const stuck = new StuckSocket()
    server.accept(stuck)
    stuck.push(packet((writer) => writer.int(0).long(0n).int(10_000).long(0n).buffer(Buffer.alloc(16))))
    stuck.push(packet((writer) => writer.int(1).int(opcode.addWatch).string('/').int(1)))
    const other = await RawClient.open(server.port)
    for (let at = 0; at < 100 && server.stats.closed.size === 0; at += 1) await other.create(`/n${at}`)
    expect(server.stats.closed.get('slow')).toBe(1)
    expect(stuck.destroyed).toBe(true)
    expect((await other.exists('/')).error).toBe(0)
  })

  test('that asks for one session more than sessionsMax is closed; a session that lives may come back', async () => {
    await server.close()
    server = await started({ sessionsMax: 1 })
    const one = await RawClient.open(server.port)
    await expect(RawClient.open(server.port)).rejects.toThrow('closed')
    expect(server.stats.closed.get('tooMany')).toBe(1)
    const again = await RawClient.open(server.port, one.session)
    expect(again.session.sessionId).toBe(one.session.sessionId)
    await again.request(opcode.closeSession)
    expect((await RawClient.open(server.port)).session.sessionId).not.toBe(0n)
  })
})

/** A socket whose peer reads nothing, ever, and whose network takes nothing. */
class StuckSocket extends Duplex {
  override _read(): void {
    // what is pushed is there
  }

  override _write(): void {
    // never done
  }

  setNoDelay(): this {
    return this
  }

  destroySoon(): void {
    this.destroy()
  }
}
