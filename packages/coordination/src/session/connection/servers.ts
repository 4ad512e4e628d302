import type { Random } from '@catchment/runtime'
import { ZooKeeperError } from '../contract/errors.ts'
import { isPath } from '../contract/paths.ts'

export interface Server {
  readonly host: string
  readonly port: number
}

/**
 * Parses `host:port,host:port/chroot` (IPv6 in brackets, port 2181 unless given; the chroot, "" for none, may be left out).
 * Throws `bad-arguments`.
 */
export function parseServers(text: string): { readonly servers: readonly Server[]; readonly chroot: string } {
  const slash = text.indexOf('/')
  const hosts = slash < 0 ? text : text.slice(0, slash)
  const chroot = slash < 0 ? '' : text.slice(slash).replace(/\/$/, '')
  const servers = hosts.split(',').map((part) => parseServer(part.trim(), text))
  if (chroot.includes(','))
    throw refused(
      `the chroot stands once, after the last server, as host:port,host:port/path, not ${JSON.stringify(text)}`,
    )
  if (chroot !== '' && !isPath(chroot)) throw malformed(chroot, text)
  return { servers, chroot }
}

function parseServer(part: string, text: string): Server {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(part)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? 2181)
  if (host === undefined || port < 1 || port > 65_535) throw malformed(part, text)
  return { host, port }
}

function malformed(part: string, text: string): ZooKeeperError {
  const rule = 'servers are host:port,host:port or host:port,host:port/path'
  return refused(`${rule}: ${JSON.stringify(part)} in ${JSON.stringify(text)} is not`)
}

function refused(why: string): ZooKeeperError {
  return new ZooKeeperError('bad-arguments', `open a session: ${why}; correct it`)
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
    this.#failures.set(server, why.trim())
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
