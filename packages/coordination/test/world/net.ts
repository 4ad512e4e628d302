// What a world lies in: a network and its time. Real ones for real servers; for our own server both are in memory.

import { connect, createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { realClock, type Clock } from '@catchment/runtime'

/** A socket of node:net, or what stands in for one. */
export type NetSocket = Duplex & {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  setNoDelay(noDelay?: boolean): unknown
  setTimeout(timeoutMs: number, listener?: () => void): unknown
  destroySoon(): void
}

export interface Listener {
  readonly port: number
  /** Resolves when no connection of it is open any more. */
  close(): Promise<void>
}

export interface Net {
  readonly clock: Clock
  /** Listens on loopback; on any free port unless one is given. */
  listen(onSocket: (socket: NetSocket) => void, port?: number): Promise<Listener>
  connect(port: number): NetSocket
  /** Lets time pass until `work` has settled, and settles as it did. */
  run<T>(work: Promise<T>): Promise<T>
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve()
    })
  })
}

export const realNet: Net = {
  clock: realClock,
  listen: (onSocket, port = 0) => {
    const server = createServer(onSocket)
    return new Promise((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', () => {
        const address = server.address()
        if (address === null || typeof address === 'string') throw new Error('no port')
        resolve({ port: address.port, close: () => closed(server) })
      })
    })
  },
  connect: (port) => connect({ port, host: '127.0.0.1', noDelay: true }),
  run: (work) => work,
}
