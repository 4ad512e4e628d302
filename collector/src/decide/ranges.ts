// Which bytes of which streams this collector holds, and what becomes of a frame that is offered. Not one offset per
// stream but ranges, because after a move or a crash an agent begins elsewhere ("less than the next offset is a
// duplicate" loses bytes then):
//
//   wholly inside a held range     duplicate: not stored, answered when the original is durable
//   overlaps a held range in part  overlap, with the boundary at which the agent cuts
//   begins at a held range's end   stored, unless the bytes before it are held with other content: diverged
//   elsewhere                      stored if it declares a new range, else expected
//
// Held is what is durable and what is pending: on its way to the disk. A frame is judged by all that is held, so several
// frames of one request each see the earlier ones; an answer is made from what is durable, when the pending frames that it
// depends on are. Usage: offer(), then for `store` exactly one of commit() (after the fdatasync that covers the frame) or
// abort(); for the others wait until every ticket of `waitFor` is committed; then result(). When one of them is aborted,
// the frame must be offered again. Frames must be aborted together with all that were offered later (a write that fails
// fails everything after it), so that nothing stands on a frame that is gone.

import type { ByteRange, FrameHeader, FrameResult } from '@catchment/protocol'
import { indexAfter } from './intervals.ts'

/** Past it the stream that was used longest ago, and has nothing pending, is forgotten: its bytes would be taken again. */
export const streamsMax = 1_000_000
/** Past it a stream begins no further range: its frames are answered `expected`. */
export const rangesPerStreamMax = 10_000

/** What the table needs of a frame's header. */
export type OfferedFrame = Pick<FrameHeader, 'stream' | 'start' | 'rawBytes' | 'newRange' | 'beforeCrc' | 'afterCrc'> &
  Partial<Pick<FrameHeader, 'gap'>>

/** Names one frame that is pending. */
export type Ticket = number

export type FrameVerdict =
  | { readonly kind: 'store'; readonly ticket: Ticket }
  | { readonly kind: 'duplicate'; readonly waitFor: readonly Ticket[] }
  | {
      readonly kind: 'overlap'
      readonly boundary: number
      /** The frame's start lies inside a held range, which the answer names. */
      readonly inside: boolean
      readonly waitFor: readonly Ticket[]
    }
  | { readonly kind: 'expected'; readonly expected: number | undefined; readonly waitFor: readonly Ticket[] }
  | { readonly kind: 'diverged'; readonly waitFor: readonly Ticket[] }

interface HeldRange {
  from: number
  to: number
  /** The crc32 of the at most 64 bytes before `to`. */
  afterCrc: number
}

interface PendingFrame extends HeldRange {
  readonly stream: string
}

interface StreamRanges {
  durable: HeldRange[]
  /** Durable and pending, merged. */
  held: HeldRange[]
  readonly pending: Map<Ticket, PendingFrame>
  /** Start of the frame that was taken last: it lies in the newest range. */
  newest: number
}

/** A stream as a snapshot keeps it: its durable ranges and where its newest one is. */
export interface StreamSnapshot {
  readonly stream: string
  readonly newest: number
  readonly ranges: readonly { readonly from: number; readonly to: number; readonly afterCrc: number }[]
}

/** Mutable and synchronous; the caller performs the writes. */
export class RangeTable {
  readonly #streams = new Map<string, StreamRanges>()
  readonly #pending = new Map<Ticket, PendingFrame>()
  readonly #streamsMax: number
  #nextTicket: Ticket = 1

  constructor(limits: { streamsMax?: number } = {}) {
    this.#streamsMax = limits.streamsMax ?? streamsMax
  }

  get streams(): number {
    return this.#streams.size
  }

  /** Judges a frame against all that is held. `store` makes it pending. */
  offer(frame: OfferedFrame): FrameVerdict {
    const state = this.#streams.get(frame.stream)
    const end = frame.start + frame.rawBytes
    const refused = state === undefined ? refusedAlone(frame) : refusedBeside(state, frame)
    if (refused !== undefined) return refused
    return { kind: 'store', ticket: this.#begin(frame, end) }
  }

  /** The frame is durable. */
  commit(ticket: Ticket): void {
    const frame = this.#take(ticket)
    insert(this.#stateOf(frame.stream).durable, frame)
  }

  /** The frame could not be written: nothing of it is held. */
  abort(ticket: Ticket): void {
    const frame = this.#take(ticket)
    const state = this.#stateOf(frame.stream)
    state.held = state.durable.map((range) => ({ ...range }))
    for (const other of state.pending.values()) insert(state.held, other)
    if (state.held.length === 0) this.#streams.delete(frame.stream)
    else if (heldAround(state.held, state.newest) === undefined) state.newest = state.held.at(-1)?.from ?? 0
  }

  /** A frame that was found on the disk, durable. False when some of its bytes were held already. */
  recover(frame: OfferedFrame): boolean {
    const to = frame.start + frame.rawBytes
    const state = this.#touch(frame.stream)
    const next = indexAfter(state.held, frame.start)
    const fresh = (state.held[next - 1]?.to ?? 0) <= frame.start && (state.held[next]?.from ?? Infinity) >= to
    const range = { from: frame.start, to, afterCrc: frame.afterCrc }
    insert(state.held, range)
    insert(state.durable, range)
    state.newest = frame.start
    return fresh
  }

  /** What a frame is answered; of a frame whose tickets are committed, and of no other. */
  result(frame: OfferedFrame, verdict: FrameVerdict): FrameResult {
    const { stream, start } = frame
    const base = { stream, start }
    const durable = this.durableAround(stream, start)
    switch (verdict.kind) {
      case 'store':
        return { ...base, outcome: 'stored', status: 200, durable: known(durable, frame) }
      case 'duplicate':
        return { ...base, outcome: 'duplicate', status: 200, durable: known(durable, frame) }
      case 'overlap':
        if (!verdict.inside || durable === undefined)
          return { ...base, outcome: 'overlap', status: 409, boundary: verdict.boundary }
        return { ...base, outcome: 'overlap', status: 409, boundary: durable.to, durable }
      case 'expected': {
        const { expected } = verdict
        if (expected === undefined) return { ...base, outcome: 'expected', status: 409 }
        const newest = this.durableAround(stream, expected - 1)
        return { ...base, outcome: 'expected', status: 409, expected, ...named(newest) }
      }
      case 'diverged':
        return { ...base, outcome: 'diverged', status: 422, ...named(this.durableAround(stream, start - 1)) }
    }
  }

  /** The durable range that contains the byte at `offset`. */
  durableAround(stream: string, offset: number): ByteRange | undefined {
    const range = heldAround(this.#streams.get(stream)?.durable ?? [], offset)
    return range === undefined ? undefined : { from: range.from, to: range.to }
  }

  /** All durable ranges of a stream, in order. */
  durableRanges(stream: string): readonly ByteRange[] {
    return (this.#streams.get(stream)?.durable ?? []).map(({ from, to }) => ({ from, to }))
  }

  /** Everything durable, longest unused first. */
  *snapshot(): Generator<StreamSnapshot> {
    for (const [stream, { durable, newest }] of this.#streams)
      if (durable.length > 0) yield { stream, newest, ranges: durable }
  }

  restore(snapshot: StreamSnapshot): void {
    const state = this.#touch(snapshot.stream)
    for (const range of snapshot.ranges) {
      insert(state.durable, range)
      insert(state.held, range)
    }
    state.newest = snapshot.newest
  }

  #begin(frame: OfferedFrame, to: number): Ticket {
    const state = this.#touch(frame.stream)
    const ticket = this.#nextTicket
    this.#nextTicket += 1
    const pending = { stream: frame.stream, from: frame.start, to, afterCrc: frame.afterCrc }
    state.pending.set(ticket, pending)
    this.#pending.set(ticket, pending)
    insert(state.held, pending)
    state.newest = frame.start
    return ticket
  }

  #take(ticket: Ticket): PendingFrame {
    const frame = this.#pending.get(ticket)
    if (frame === undefined) throw new Error(`ticket ${ticket} is not pending: commit or abort a frame once`)
    this.#pending.delete(ticket)
    this.#stateOf(frame.stream).pending.delete(ticket)
    return frame
  }

  #stateOf(stream: string): StreamRanges {
    const state = this.#streams.get(stream)
    if (state === undefined) throw new Error(`stream ${stream} has pending frames and is not in the table`)
    return state
  }

  /** The stream's ranges, made the most recently used. */
  #touch(stream: string): StreamRanges {
    const known = this.#streams.get(stream)
    const state = known ?? { durable: [], held: [], pending: new Map<Ticket, PendingFrame>(), newest: 0 }
    if (known !== undefined) this.#streams.delete(stream)
    this.#streams.set(stream, state)
    if (this.#streams.size > this.#streamsMax) this.#forgetOldest()
    return state
  }

  #forgetOldest(): void {
    for (const [stream, state] of this.#streams) {
      if (state.pending.size > 0) continue
      this.#streams.delete(stream)
      return
    }
  }
}

/** Of a stream that is not known. */
function refusedAlone(frame: OfferedFrame): FrameVerdict | undefined {
  return frame.newRange ? undefined : { kind: 'expected', expected: undefined, waitFor: [] }
}

/** Why a frame is not stored beside what is held of its stream; undefined when it is. */
function refusedBeside(state: StreamRanges, frame: OfferedFrame): FrameVerdict | undefined {
  const end = frame.start + frame.rawBytes
  const next = indexAfter(state.held, frame.start)
  const before = state.held[next - 1]
  const after = state.held[next]
  if (before !== undefined && frame.start < before.to) return withinHeld(state, before, frame)
  if (after !== undefined && after.from < end)
    return { kind: 'overlap', boundary: after.from, inside: false, waitFor: pendingWithin(state, after) }
  if (before?.to === frame.start) {
    // A gap brings no bytes that could be another file's; its agent may not know what lies before it.
    if (before.afterCrc === frame.beforeCrc || frame.gap === true) return undefined
    return { kind: 'diverged', waitFor: pendingWithin(state, before) }
  }
  return frame.newRange && state.held.length < rangesPerStreamMax ? undefined : expectedAfter(state)
}

/** Of a frame that begins inside a held range. */
function withinHeld(state: StreamRanges, held: ByteRange, frame: OfferedFrame): FrameVerdict {
  const end = frame.start + frame.rawBytes
  if (end <= held.to) return { kind: 'duplicate', waitFor: pendingWithin(state, { from: frame.start, to: end }) }
  return { kind: 'overlap', boundary: held.to, inside: true, waitFor: pendingWithin(state, held) }
}

function named(durable: ByteRange | undefined): { durable?: ByteRange } {
  return durable === undefined ? {} : { durable }
}

function expectedAfter(state: StreamRanges): FrameVerdict {
  const newest = heldAround(state.held, state.newest)
  if (newest === undefined) return { kind: 'expected', expected: undefined, waitFor: [] }
  return { kind: 'expected', expected: newest.to, waitFor: pendingWithin(state, newest) }
}

function heldAround(ranges: readonly HeldRange[], offset: number): HeldRange | undefined {
  const range = ranges[indexAfter(ranges, offset) - 1]
  return range !== undefined && offset < range.to ? range : undefined
}

function pendingWithin(state: StreamRanges, within: ByteRange): Ticket[] {
  return [...state.pending].filter(([, { from, to }]) => from < within.to && to > within.from).map(([ticket]) => ticket)
}

/** Adds `added` to sorted ranges, merging what it touches. In place: one append must not copy thousands of ranges. */
function insert(ranges: HeldRange[], added: Readonly<HeldRange>): void {
  let first = indexAfter(ranges, added.from)
  if ((ranges[first - 1]?.to ?? -1) >= added.from) first -= 1
  let last = first
  const merged = { from: added.from, to: added.to, afterCrc: added.afterCrc }
  for (let range = ranges[last]; range !== undefined && range.from <= added.to; range = ranges[last]) {
    merged.from = Math.min(merged.from, range.from)
    if (range.to > merged.to) {
      merged.to = range.to
      merged.afterCrc = range.afterCrc
    }
    last += 1
  }
  ranges.splice(first, last - first, merged)
}

function known(durable: ByteRange | undefined, frame: OfferedFrame): ByteRange {
  if (durable === undefined || durable.to < frame.start + frame.rawBytes)
    throw new Error(`the frame at ${frame.start} of stream ${frame.stream} is answered before it is durable`)
  return durable
}
