/** Why this server closed a connection. */
export type CloseReason =
  | 'peer' // the peer ended it, or the network did
  | 'sessionClosed'
  | 'sessionExpired'
  | 'sessionMoved' // the same session came back on another connection
  | 'authFailed'
  | 'zxidAhead' // the client has seen a future that this server does not know
  | 'malformed'
  | 'tooLong'
  | 'tooMany'
  | 'tooManyWatches'
  | 'noHandshake'
  | 'slow'
  | 'word' // a four-letter word has been answered
  | 'dropped' // by dropConnections()
  | 'shutdown'

/** Counters since the start. */
export class Stats {
  readonly closed = new Map<CloseReason, number>()
  readonly latency = { minMs: 0, maxMs: 0, sumMs: 0, count: 0 }
  packetsReceived = 0
  packetsSent = 0
  connections = 0
  sessionsExpired = 0
  /** Requests read whose replies have not left yet. */
  outstanding = 0

  countClosed(reason: CloseReason): void {
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1)
  }

  observeLatency(tookMs: number): void {
    const { latency } = this
    latency.minMs = latency.count === 0 ? tookMs : Math.min(latency.minMs, tookMs)
    latency.maxMs = Math.max(latency.maxMs, tookMs)
    latency.sumMs += tookMs
    latency.count += 1
  }
}
