import type { Random } from '@catchment/runtime'
import { ZooKeeperError } from './errors.ts'

export interface Server {
  readonly host: string
  readonly port: number
}

/** Parses `host:port,host:port` (IPv6 in brackets, port 2181 unless given). Throws what the operator has to mend. */
export function parseServers(text: string): readonly Server[] {
  const servers = text.split(',').map((part) => parseServer(part.trim(), text))
  return servers
}

function parseServer(part: string, text: string): Server {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(part)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? 2181)
  if (host === undefined || port < 1 || port > 65_535)
    throw new ZooKeeperError(
      'unreachable',
      `ZooKeeper servers are given as host:port,host:port (without a path): ${JSON.stringify(part)} in ${JSON.stringify(text)} is not`,
    )
  return { host, port }
}

/** The servers in turn, from a random one on, so that a fleet spreads over an ensemble. */
export class Rotation {
  readonly servers: readonly Server[]
  readonly #failures = new Map<Server, string>()
  #next: number

  constructor(servers: readonly Server[], random: Random) {
    this.servers = servers
    this.#next = Math.floor(random.float() * servers.length)
  }

  next(): Server {
    const server = this.servers[this.#next % this.servers.length]
    this.#next += 1
    if (server === undefined) throw new Error('a rotation has at least one server')
    return server
  }

  failed(server: Server, why: string): void {
    this.#failures.set(server, why)
  }

  /** The error for the operator, with why each server failed last. */
  unreachable(timeoutMs: number): ZooKeeperError {
    const each = this.servers.map((server) => {
      const name = server.host.includes(':') ? `[${server.host}]` : server.host
      return `${name}:${server.port} (${this.#failures.get(server) ?? 'no answer'})`
    })
    return new ZooKeeperError(
      'unreachable',
      `no ZooKeeper server answered within ${timeoutMs} ms: ${each.join(', ')}; check that they run and are reachable`,
    )
  }
}
