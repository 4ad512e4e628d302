/** Everything here that can grow, where it ends, and what happens there. */
export interface Limits {
  /** Longest request. A longer one closes its connection (`tooLong`). ZooKeeper's jute.maxbuffer. */
  readonly packetBytesMax: number
  /** Open sockets. One more is closed at once (`tooMany`). */
  readonly connectionsMax: number
  /** Living sessions. A client that asks for one more is disconnected (`tooMany`). */
  readonly sessionsMax: number
  /** Paths, data and 256 bytes for each node. Past it creates and setData are refused (quotaExceeded), deletes are not. */
  readonly treeBytesMax: number
  /** A socket that has not shaken hands by then is closed (`noHandshake`). */
  readonly handshakeTimeoutMs: number
  /** Watches of one connection. One that sets more is closed (`tooManyWatches`). */
  readonly watchesPerConnectionMax: number
  /** Replies that wait for the peer to read. Past a quarter of it nothing more is read from the peer; past it, `slow`. */
  readonly unsentBytesMax: number
  /** Replies that wait for the log. Past it nothing is read from anyone until the log has caught up. */
  readonly heldBytesMax: number
  /** The log since the last snapshot. Past it a snapshot is taken and the log begins again. */
  readonly logBytesMax: number
  /** How often containers and TTL nodes that are due are looked for; they outlive their end by up to that long. */
  readonly containerCheckIntervalMs: number
  /** Containers and TTL nodes deleted by one such look; the others wait for the next. */
  readonly containerDeletionsMax: number
}

export const defaultLimits: Limits = {
  packetBytesMax: 0xfffff,
  connectionsMax: 10_000,
  sessionsMax: 100_000,
  treeBytesMax: 1024 * 1024 * 1024,
  handshakeTimeoutMs: 10_000,
  watchesPerConnectionMax: 1_000_000,
  unsentBytesMax: 64 * 1024 * 1024,
  heldBytesMax: 32 * 1024 * 1024,
  logBytesMax: 64 * 1024 * 1024,
  containerCheckIntervalMs: 60_000,
  containerDeletionsMax: 10_000,
}
