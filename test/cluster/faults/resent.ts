// How much an agent sent again, reported by its own log (at level debug), kill by kill and stream by stream.

import type { Cluster } from '../programs/cluster.ts'

export interface Resent {
  readonly stream: string
  /** Raw bytes that were sent again while it ran, and that a collector held already when it came back. */
  readonly bytes: number
}

/** For the time from each of `killsAt` (ms since 1970, ascending) to the next: what was sent again of each stream. */
export function resentPerKill(cluster: Cluster, killsAt: readonly number[]): Resent[][] {
  const again = cluster.logged('agent-1', 'sending again')
  const held = cluster.logged('agent-1', 'bytes were held already')
  return killsAt.map((from, index) => {
    const to = killsAt[index + 1] ?? Infinity
    const within = (line: Record<string, unknown>): boolean => {
      const at = Date.parse(String(line['at']))
      return at >= from && at < to
    }
    const streams = new Map<string, number>()
    const rewinds = Map.groupBy(again.filter(within), (line) => String(line['stream']))
    // The same bytes may be tried more than once: they count once.
    for (const [stream, lines] of rewinds) streams.set(stream, span(lines))
    for (const line of held.filter(within)) {
      const stream = String(line['stream'])
      streams.set(stream, (streams.get(stream) ?? 0) + Number(line['bytes']))
    }
    return [...streams].map(([stream, bytes]) => ({ stream, bytes }))
  })
}

function span(lines: readonly Record<string, unknown>[]): number {
  const from = Math.min(...lines.map((line) => Number(line['from'])))
  return Math.max(...lines.map((line) => Number(line['to']))) - from
}
