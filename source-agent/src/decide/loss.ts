import type { FrameResult } from '@catchment/protocol'
import type { SenderState, SentFrame } from './sender.ts'

export interface AnsweredBatch {
  readonly frames: readonly SentFrame[]
  /** One per frame. */
  readonly results: readonly FrameResult[]
  /** From here on frames are gaps. `unanswered`: such a gap was sent before, and may have been stored. */
  readonly loss: { readonly from: number; readonly unanswered: boolean }
  /** As it was when the frames left. */
  readonly sender: Pick<SenderState, 'unconfirmed' | 'collector'>
}

/** How much of a gap a collector has stored: bytes that are lost, and bytes of which that cannot be known. */
export function storedAsGap({ frames, results, loss, sender }: AnsweredBatch): {
  lostBytes: number
  perhapsBytes: number
} {
  let lostBytes = 0
  let perhapsBytes = 0
  for (const [index, result] of results.entries()) {
    const frame = frames[index]
    if (frame === undefined || frame.to <= loss.from) continue
    const range = { from: Math.max(frame.from, loss.from), to: frame.to }
    const bytes = range.to - range.from
    const elsewhere = sender.unconfirmed.filter(({ at }) => at !== sender.collector)
    const elsewhereBytes = elsewhere.reduce((most, other) => Math.max(most, sharedBytes(other, range)), 0)
    if (result.outcome === 'stored') {
      lostBytes += bytes - elsewhereBytes
      perhapsBytes += elsewhereBytes
    } else if (result.outcome === 'duplicate' && loss.unanswered) perhapsBytes += bytes
  }
  return { lostBytes, perhapsBytes }
}

function sharedBytes(a: { from: number; to: number }, b: { from: number; to: number }): number {
  return Math.max(0, Math.min(a.to, b.to) - Math.max(a.from, b.from))
}
