// TLS is the caller's: a socket of its own making. Keys that both sides know stand in for certificates.

import { once } from 'node:events'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, createServer, type Server } from 'node:tls'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import { realClock, realRandom } from '@catchment/runtime'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openSession } from '../../src/session/live-session.ts'
import type { SessionOptions } from '../../src/session/contract/session.ts'

const ciphers = 'PSK-AES256-GCM-SHA384'
const versions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
const key = Buffer.from('a key that both sides know')

let zookeeper: ZookeeperServer
let terminator: Server
const clients = new Set<Duplex>()
beforeEach(async () => {
  const listen = { host: '127.0.0.1', port: 0 }
  const sessionTimeoutMs = { min: 500, max: 60_000 }
  zookeeper = await startServer({ listen, clock: realClock, random: realRandom, sessionTimeoutMs })
  terminator = createServer({ ...versions, ciphers, pskCallback: () => key }, (client) => {
    clients.add(client)
    const plain = connectTcp(zookeeper.port, '127.0.0.1')
    client.pipe(plain).pipe(client)
    client.on('error', () => plain.destroy()).on('close', () => plain.destroy())
    plain.on('error', () => client.destroy()).on('close', () => client.destroy())
  })
  terminator.listen(0, '127.0.0.1')
  await once(terminator, 'listening')
})
afterEach(async () => {
  terminator.close()
  clients.clear()
  await zookeeper.close()
})

function options(psk: Buffer): SessionOptions {
  const { port } = terminator.address() as AddressInfo
  return {
    servers: `127.0.0.1:${port}`,
    sessionTimeoutMs: 1_000,
    connectTimeoutMs: 2_000,
    connect: (server) =>
      connect({
        ...{ ...server, ...versions, ciphers },
        pskCallback: () => ({ psk, identity: 'catchment' }),
        checkServerIdentity: () => undefined,
      }),
  }
}

describe('a session over TLS', () => {
  test('lives as any other, also over several connections', async () => {
    const session = await openSession(options(key))
    const { sessionId } = session
    await session.create('/a', Buffer.from('one'), 'ephemeral')
    const suspended = new Promise((resolve) => session.onState(resolve))
    for (const client of clients) client.destroy()
    expect(await suspended).toBe('suspended')
    expect((await session.exists('/a'))?.ephemeralOwner).toBe(sessionId)
    await session.close()
    expect(clients.size).toBe(2)
  })

  test('says why when the two sides do not agree', async () => {
    await expect(openSession(options(Buffer.from('another key')))).rejects.toThrow(/SSL alert.*; check/)
  })
})
