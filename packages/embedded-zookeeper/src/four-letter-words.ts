// The four-letter words: what one asks a ZooKeeper server with `nc`. Four bytes in, text out, connection closed.

import type { StateMachine } from './state-machine.ts'
import type { Stats } from './stats.ts'

const version = '3.8.0-catchment'

export interface Report {
  readonly machine: StateMachine
  readonly stats: Stats
  readonly watches: number
  readonly heldBytes: number
  readonly uptimeMs: number
  readonly peers: readonly { address: string; port: number; received: number; sent: number }[]
  /** Lines of `conf`: name and value. */
  readonly configuration: Readonly<Record<string, string | number>>
}

const words: ReadonlyMap<string, (report: Report) => string> = new Map([
  ['ruok', () => 'imok'],
  ['srvr', (report: Report) => `Zookeeper version: ${version}\n${serverLines(report)}`],
  ['stat', stat],
  ['mntr', mntr],
  ['conf', (report: Report) => lines(report.configuration, '=')],
])

/** The answer to a word, undefined when it is none of ours. `report` is asked only then. */
export function answerTo(word: string, report: () => Report): string | undefined {
  return words.get(word)?.(report())
}

function stat(report: Report): string {
  const peers = report.peers.map(
    ({ address, port, received, sent }) => ` /${address}:${port}[1](queued=0,recved=${received},sent=${sent})\n`,
  )
  return `Zookeeper version: ${version}\nClients:\n${peers.join('')}\n${serverLines(report)}`
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
    watch_count: watches,
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
