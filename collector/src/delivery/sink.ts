// What delivery needs of a place where logs go. A new sink is one file that implements this, and one line in the table of
// sinks; each is delivered to by a loop of its own, from a cursor of its own.

import type { FrameHeader } from '@catchment/protocol'

/** What a stored frame is to a sink: its raw bytes, or why there are none. */
export type ExpandedFrame =
  | { readonly kind: 'bytes'; readonly header: FrameHeader; readonly raw: Buffer }
  | { readonly kind: 'gap'; readonly header: FrameHeader; readonly reason: string }

/** A frame that a sink will never take. */
export interface RefusedFrame {
  readonly frame: ExpandedFrame
  readonly error: Error
}

/**
 * Frames come in the order in which they were stored, those of one stream in the order of its bytes. After a crash or a
 * failure what was not flushed comes again: taking it twice must change nothing.
 */
export interface Sink {
  /**
   * Resolves when the frames are handed over, with those that are refused for good. Throws what may pass later (the sink is
   * full, or away): it is reset then, and the frames come again. One call at a time; the frames' bytes are valid until it
   * resolves.
   */
  write(frames: readonly ExpandedFrame[]): Promise<readonly RefusedFrame[]>
  /**
   * Resolves when all that was written before the call is durable. More may be written while it runs; it does not run twice
   * at a time. Throws when any of it may not be durable.
   */
  flush(): Promise<void>
  /** Forgets what was not flushed: writing begins again at the cursor. Neither a write nor a flush is under way. */
  reset(): Promise<void>
  /** Ends without flushing. Neither a write nor a flush is under way. */
  close(): Promise<void>
}
