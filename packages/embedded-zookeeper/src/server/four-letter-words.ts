// The four-letter words: what one asks a ZooKeeper server with `nc`. Four bytes in, text out, connection closed.

import { arch, hostname, platform, release } from 'node:os'
import type { ClientConnection } from '../connections/connection.ts'
import type { StateMachine } from '../tree/state-machine.ts'
import type { Stats } from '../connections/stats.ts'
import type { WatchTable } from '../watches/watch-table.ts'
import type { WatchManager } from '../watches/watches.ts'

/** Clients read the number at its head; ZooKeeper has the time of its build after it. */
const version = '3.8.0-catchment, built on 2026-01-01 00:00 UTC'

type Peer = Pick<ClientConnection, 'address' | 'port' | 'received' | 'sent' | 'sessionId' | 'timeoutMs'>

export interface Report {
  readonly machine: StateMachine
  readonly stats: Stats
  readonly watches: Pick<WatchManager<unknown>, 'size' | 'data'>
  readonly heldBytes: number
  readonly uptimeMs: number
  readonly peers: readonly Peer[]
  /** Lines of `conf`: name and value. */
  readonly configuration: Readonly<Record<string, string | number>>
}

const words: ReadonlyMap<string, (report: Report) => string> = new Map<string, (report: Report) => string>([
  ['ruok', () => 'imok'],
  ['isro', () => 'rw'],
  ['srvr', (report) => `Zookeeper version: ${version}\n${serverLines(report)}`],
  ['stat', stat],
  ['mntr', mntr],
  ['conf', ({ configuration }) => lines(configuration, '=')],
  ['envi', () => `Environment:\n${lines(environment(), '=')}`],
  ['cons', ({ peers }) => `${peers.map((peer) => peerLine(peer, sessionOf(peer))).join('')}\n`],
  ['wchs', ({ watches }) => watchSummary(watches.data)],
  ['dump', dump],
])

/** The answer to a word, undefined when it is none of ours. `report` is asked only then. */
export function answerTo(word: string, report: () => Report): string | undefined {
  return words.get(word)?.(report())
}

function stat(report: Report): string {
  const peers = report.peers.map((peer) => peerLine(peer, ''))
  return `Zookeeper version: ${version}\nClients:\n${peers.join('')}\n${serverLines(report)}`
}

function peerLine({ address, port, received, sent }: Peer, more: string): string {
  return ` /${address}:${port}[1](queued=0,recved=${received},sent=${sent}${more})\n`
}

function sessionOf({ sessionId, timeoutMs }: Peer): string {
  return sessionId === 0n ? '' : `,sid=0x${sessionId.toString(16)},to=${timeoutMs}`
}

function watchSummary(watches: WatchTable<unknown>): string {
  return `${watches.watcherCount} connections watching ${watches.pathCount} paths\nTotal watches:${watches.size}\n`
}

/** Who owns which ephemeral nodes, in the words of ZooKeeper's dump. */
function dump({ machine, peers }: Report): string {
  const owners = [...machine.sessions.keys()]
    .map((id) => ({ id: id.toString(16), paths: machine.tree.ephemeralsOf(id) }))
    .filter(({ paths }) => paths.length > 0)
  const nodes = owners.map(({ id, paths }) => `0x${id}:\n${paths.map((path) => `\t${path}\n`).join('')}`)
  const connections = peers.map(
    (peer) => `\tip: /${peer.address}:${peer.port} sessionId: 0x${peer.sessionId.toString(16)}\n`,
  )
  return [
    `SessionTracker dump:\nSession Sets (${machine.sessions.size}):\n`,
    `ephemeral nodes dump:\nSessions with Ephemerals (${owners.length}):\n${nodes.join('')}`,
    `Connections dump:\nConnections Sets (${peers.length}):\n${connections.join('')}`,
  ].join('')
}

function environment(): Record<string, string> {
  return {
    'zookeeper.version': version,
    'host.name': hostname(),
    'os.name': platform(),
    'os.arch': arch(),
    'os.version': release(),
  }
}

function serverLines({ machine, stats }: Report): string {
  const latency = [stats.latency.minMs.toFixed(0), averageMs(stats), stats.latency.maxMs.toFixed(0)].join('/')
  return lines(
    {
      'Latency min/avg/max': latency,
      Received: stats.packetsReceived,
      Sent: stats.packetsSent,
      Connections: stats.connections,
      Outstanding: stats.outstanding,
      Zxid: `0x${machine.zxid.toString(16)}`,
      Mode: 'standalone',
      'Node count': machine.tree.size + 1, // ZooKeeper counts its root twice
    },
    ': ',
  )
}

function mntr({ machine, stats, watches, heldBytes, uptimeMs }: Report): string {
  const values = {
    version,
    server_state: 'standalone',
    ephemerals_count: machine.tree.ephemeralCount,
    num_alive_connections: stats.connections,
    avg_latency: averageMs(stats),
    min_latency: stats.latency.minMs.toFixed(0),
    max_latency: stats.latency.maxMs.toFixed(0),
    outstanding_requests: stats.outstanding,
    held_response_bytes: heldBytes,
    znode_count: machine.tree.size + 1,
    global_sessions: machine.sessions.size,
    packets_sent: stats.packetsSent,
    packets_received: stats.packetsReceived,
    watch_count: watches.size,
    approximate_data_size: machine.tree.dataBytes,
    stale_sessions_expired: stats.sessionsExpired,
    uptime: uptimeMs.toFixed(0),
  }
  const closed = [...stats.closed].map(([reason, count]) => [`connections_closed_${reason}`, count])
  const all = { ...values, ...(Object.fromEntries(closed) as Record<string, number>) }
  return Object.entries(all)
    .map(([name, value]) => `zk_${name}\t${value}\n`)
    .join('')
}

function averageMs({ latency }: Stats): string {
  return (latency.count === 0 ? 0 : latency.sumMs / latency.count).toFixed(1)
}

function lines(values: Readonly<Record<string, string | number>>, separator: string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}${separator}${value}\n`)
    .join('')
}
