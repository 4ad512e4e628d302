// What can grow, and how far. Each limit's behaviour stands with it.

const mib = 1024 * 1024

export const limits = {
  /** One read, and so one frame. A longer line travels in marked parts. */
  blockBytes: mib,
  /** Bytes read and not yet durable, all streams together: then nothing is read. */
  memoryBytesMax: 64 * mib,
  /** Of it, what is read for collectors that take nothing. */
  failingMemoryBytesMax: 16 * mib,
  /** What one stream may have read beyond its checkpoint: one turn in flight, the next prepared. */
  aheadBytesMax: 8 * mib,
  /** Open files: past it the longest idle are parked (closed, opened again when they grow). */
  openFilesMax: 512,
  /** Idle files that stay open. */
  openIdleMax: 32,
  /** Directories that are watched; the others are scanned at intervals only. */
  watchedDirectoriesMax: 2000,
  /** Streams followed at a time: further files wait and are counted in a warning. */
  streamsMax: 1_000_000,
} as const
