import type { FrameResult } from '@catchment/protocol'
import type { Sender, SentFrame } from './sender.ts'

export interface Answered {
  readonly frames: readonly SentFrame[]
  /** One per frame. */
  readonly results: readonly FrameResult[]
  /** From here on frames are gaps. `unanswered`: such a gap was sent before, and may have been stored. */
  readonly loss: { readonly from: number; readonly unanswered: boolean }
  /** As it was when the frames left. */
  readonly sender: Pick<Sender, 'doubts' | 'collector'>
}

/** How much of a gap a collector has stored: bytes that are lost, and bytes of which that cannot be known. */
export function storedAsGap({ frames, results, loss, sender }: Answered): { lostBytes: number; perhapsBytes: number } {
  let lostBytes = 0
  let perhapsBytes = 0
  for (const [index, result] of results.entries()) {
    const frame = frames[index]
    if (frame === undefined || frame.to <= loss.from) continue
    const range = { from: Math.max(frame.from, loss.from), to: frame.to }
    const bytes = range.to - range.from
    const elsewhere = sender.doubts.filter(({ at }) => at !== sender.collector)
    const doubtedBytes = elsewhere.reduce((most, doubt) => Math.max(most, sharedBytes(doubt, range)), 0)
    if (result.outcome === 'stored') {
      lostBytes += bytes - doubtedBytes
      perhapsBytes += doubtedBytes
    } else if (result.outcome === 'duplicate' && loss.unanswered) perhapsBytes += bytes
  }
  return { lostBytes, perhapsBytes }
}

function sharedBytes(a: { from: number; to: number }, b: { from: number; to: number }): number {
  return Math.max(0, Math.min(a.to, b.to) - Math.max(a.from, b.from))
}
