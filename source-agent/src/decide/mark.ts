import { seamBytes, seamCrc } from '@catchment/protocol'

/** The bytes before an offset: how many (at most 64; 0 after a gap or at the start) and their crc32. */
export interface Mark {
  readonly bytes: number
  readonly crc: number
}

export const noMark: Mark = { bytes: 0, crc: 0 }

/** The mark at the end of `before`; of more than 64 bytes the last ones count. */
export function markAfter(before: Buffer): Mark {
  return before.length === 0 ? noMark : { bytes: Math.min(seamBytes, before.length), crc: seamCrc(before) }
}
