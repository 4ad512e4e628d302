// Where Redis is, as one URL:
//   redis://HOST:PORT/DB                       one server
//   redis+sentinel://HOST:PORT,HOST:PORT/NAME  the master NAME, as these sentinels know it
//   redis+cluster://HOST:PORT,HOST:PORT        a cluster, found through these nodes
// and `rediss…` for each over TLS. A password never stands in it: command lines are seen by every user of a machine.

import { CatchmentError } from '@catchment/runtime'

export interface HostPort {
  readonly host: string
  readonly port: number
}

export type RedisAddress = {
  readonly tls: boolean
  /** For people. */
  readonly text: string
} & (
  | { readonly kind: 'single'; readonly server: HostPort; readonly db: number }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly HostPort[]; readonly master: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[] }
)

const ports = { single: 6379, sentinel: 26379, cluster: 6379 }
const shape = /^redis(?<tls>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?<hosts>[^/?#]+)(?:\/(?<path>[^/?#]*))?$/

/** Throws a CatchmentError `redis-address` that says what is wrong; the URL itself is not in it where it holds a password. */
export function parseRedisAddress(url: string): RedisAddress {
  if (url.includes('@')) throw wrong('it holds a user or password', 'give them by a file or by the environment')
  const groups = shape.exec(url)?.groups
  if (groups === undefined) throw wrong(`${url} is no such URL`, 'for example redis://127.0.0.1:6379')
  const { hosts = '', path = '' } = groups
  const tls = groups['tls'] === 's'
  switch (groups['kind']) {
    case 'sentinel':
      if (path === '') throw wrong(`${url} names no master`, 'for example redis+sentinel://s1:26379,s2:26379/mymaster')
      return { kind: 'sentinel', tls, text: url, sentinels: hostPorts(hosts, ports.sentinel), master: path }
    case 'cluster':
      if (path !== '') throw wrong(`${url} names a database`, 'a cluster has only one; leave the path out')
      return { kind: 'cluster', tls, text: url, nodes: hostPorts(hosts, ports.cluster) }
    case undefined:
    default:
      return single(url, tls, { hosts, path })
  }
}

function single(url: string, tls: boolean, { hosts, path }: { hosts: string; path: string }): RedisAddress {
  const [server, ...others] = hostPorts(hosts, ports.single)
  if (server === undefined || others.length > 0)
    throw wrong(`${url} names several servers`, 'use redis+sentinel:// or redis+cluster://')
  if (!/^\d*$/.test(path)) throw wrong(`${url} has the database ${path}`, 'a database is a number')
  return { kind: 'single', tls, text: url, server, db: Number(path) }
}

function hostPorts(hosts: string, defaultPort: number): HostPort[] {
  return hosts.split(',').map((text) => {
    const [, host = '', digits] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d+))?$/i.exec(text) ?? []
    const port = digits === undefined ? defaultPort : Number(digits)
    if (host === '' || port < 1 || port > 65_535) throw wrong(`${text} is no HOST:PORT`, 'for example 127.0.0.1:6379')
    return { host: host.replaceAll(/[[\]]/g, ''), port }
  })
}

function wrong(what: string, nextStep: string): CatchmentError {
  return new CatchmentError('redis-address', `cannot use the address of Redis: ${what}; ${nextStep}`, {
    blame: 'operator',
  })
}
