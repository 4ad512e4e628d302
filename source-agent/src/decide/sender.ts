// How ONE stream is shipped. The state says what is durable (`checkpoint`), what is in flight, to whom, and what was sent
// to a collector and never answered (`unconfirmed`). The shell performs: it records, sends, and reports what came back.
//
// Rules that keep lines from being lost or doubled:
//  - Every batch begins at the checkpoint, and at most one batch is in flight.
//  - The checkpoint advances to the end of a durable range only if that range contains the checkpoint.
//  - Before the first frame leaves for a collector, a durable record says so (`record`): after a crash the agent knows which
//    collector may hold bytes that it cannot remember having sent.
//  - The first frame of a batch to a collector after a move, a restart or a rewind declares a new range, until one is durable.
//  - An unconfirmed range (bytes that a collector may hold) is named by every frame that carries some of those bytes elsewhere.

import type { ByteRange, FrameResult, Unconfirmed } from '@catchment/protocol'
import { backoffMs } from './backoff.ts'
import { withUnconfirmed } from './unconfirmed.ts'

/** What must survive a crash, besides the file's identity. */
export interface SenderRecord {
  readonly stream: string
  readonly checkpoint: number
  /** The collector that frames may have been sent to since the record was written. */
  readonly collector: string | undefined
  readonly unconfirmed: readonly Unconfirmed[]
}

export interface SentFrame {
  readonly from: number
  readonly to: number
}

export interface SenderState {
  readonly stream: string
  /** Every byte before it is durable on some collector. */
  readonly checkpoint: number
  /** Where frames go; undefined until an assigner has answered. */
  readonly collector: string | undefined
  /** What the durable record says `collector` is. */
  readonly recorded: string | undefined
  readonly declare: boolean
  readonly inFlight: { readonly collector: string; readonly frames: readonly SentFrame[] } | undefined
  /** Bytes sent to a collector and never answered. */
  readonly unconfirmed: readonly Unconfirmed[]
  /** The next batch ends here: after it the collector already holds bytes. */
  readonly endMax: number | undefined
  /** Nothing is sent before this instant of the caller's monotonic clock. */
  readonly holdUntilMs: number
  /** Answers in a row that brought no progress. */
  readonly failures: number
}

export type SenderEffect =
  | { readonly type: 'advanced'; readonly from: number; readonly to: number }
  /** Bytes that the collector held already. */
  | { readonly type: 'duplicate'; readonly bytes: number }
  | { readonly type: 'again'; readonly from: number; readonly to: number; readonly why: string }
  /** Ask the assigners; `to` is where the collector believes the group went. */
  | { readonly type: 'resolve'; readonly refusedBy: string; readonly epoch: number; readonly to: string | undefined }
  /** The collector holds other bytes under this id: the shell begins a new stream. */
  | { readonly type: 'diverged' }
  /** More unconfirmed ranges than `unconfirmedMax`: the oldest can no longer be named. */
  | { readonly type: 'unconfirmed-dropped'; readonly range: Unconfirmed }

export interface SenderStep {
  readonly sender: SenderState
  readonly effects: readonly SenderEffect[]
}

/** What the sender wants: a durable record of itself, a batch, or nothing for now. */
export type NextBatch =
  | { readonly type: 'record' }
  | {
      readonly type: 'send'
      readonly collector: string
      readonly from: number
      readonly endMax: number | undefined
      /** By the first frame of the batch alone. */
      readonly declare: boolean
    }
  | { readonly type: 'wait'; readonly untilMs: number | undefined }

/** Moments, chance and the file as the shell sees them. */
export interface Circumstances {
  /** Of the monotonic clock. */
  readonly nowMs: number
  /** In [0, 1): the jitter of a delay. */
  readonly chance: number
  /** How many bytes the stream can have at most: who holds more holds another stream. */
  readonly sizeBytes: number
}

const backoff = { baseMs: 100, maxMs: 5000 }
/** No collector's Retry-After puts a stream to sleep for longer. */
const holdMaxMs = 60_000

/** A stream that no collector knows yet; `checkpoint` > 0 where following begins at the end of a file. */
export function beginSender(stream: string, checkpoint = 0): SenderState {
  return {
    stream,
    checkpoint,
    collector: undefined,
    recorded: undefined,
    declare: true,
    inFlight: undefined,
    unconfirmed: [],
    endMax: undefined,
    holdUntilMs: 0,
    failures: 0,
  }
}

/** A stream after a restart: everything after the checkpoint may have been sent to the recorded collector. */
export function resumeSender(record: SenderRecord, sizeBytes: number): SenderState {
  const { stream, checkpoint, collector } = record
  const sender = { ...beginSender(stream, checkpoint), collector, recorded: collector, unconfirmed: record.unconfirmed }
  if (collector === undefined || sizeBytes <= checkpoint) return sender
  const perhapsSent = { from: checkpoint, to: sizeBytes, at: collector }
  return { ...sender, unconfirmed: withUnconfirmed(sender.unconfirmed, perhapsSent).unconfirmed }
}

/**
 * What to make durable when `nextBatch` says `record`. Until the next such moment only the checkpoint in the durable record
 * may be advanced: were another collector recorded while this one has bytes in flight, after a crash the unconfirmed range
 * would have the wrong collector's name.
 */
export function recordOf(sender: SenderState): SenderRecord {
  const { stream, checkpoint, collector, unconfirmed } = sender
  return { stream, checkpoint, collector, unconfirmed }
}

/** The record with `collector` has become durable. */
export function recorded(sender: SenderState, collector: string | undefined): SenderState {
  return { ...sender, recorded: collector }
}

/** Its group is served by `collector`. A move takes effect for the next batch; what is in flight ends first. */
export function assign(sender: SenderState, collector: string): SenderState {
  if (collector === sender.collector) return sender
  return { ...sender, collector, declare: true, endMax: undefined, holdUntilMs: 0, failures: 0 }
}

export function nextBatch(sender: SenderState, nowMs: number): NextBatch {
  const { collector, checkpoint } = sender
  if (sender.inFlight !== undefined || collector === undefined) return { type: 'wait', untilMs: undefined }
  if (sender.recorded !== collector) return { type: 'record' }
  if (nowMs < sender.holdUntilMs) return { type: 'wait', untilMs: sender.holdUntilMs }
  return { type: 'send', collector, from: checkpoint, endMax: sender.endMax, declare: sender.declare }
}

/** The batch has left: contiguous frames that begin at the checkpoint. */
export function sent(sender: SenderState, frames: readonly SentFrame[]): SenderState {
  const { collector } = sender
  if (collector === undefined || sender.inFlight !== undefined || frames[0]?.from !== sender.checkpoint)
    throw new Error(`stream ${sender.stream}: a batch must begin at ${sender.checkpoint}, with nothing in flight`)
  return { ...sender, inFlight: { collector, frames } }
}

/** The request was refused as a whole before it was taken (429, 503, no connection): nothing of it is anywhere. */
export function refused(sender: SenderState, holdUntilMs: number): SenderStep {
  return { sender: { ...sender, inFlight: undefined, holdUntilMs }, effects: [] }
}

/** Silence, a broken connection, or an answer that made no sense: the batch may be durable there, or become so. */
export function unanswered(sender: SenderState, why: string, given: Circumstances): SenderStep {
  const { inFlight } = sender
  const first = inFlight?.frames[0]
  const last = inFlight?.frames.at(-1)
  if (inFlight === undefined || first === undefined || last === undefined) return { sender, effects: [] }
  const { unconfirmed, dropped } = withUnconfirmed(sender.unconfirmed, {
    from: first.from,
    to: last.to,
    at: inFlight.collector,
  })
  return {
    sender: { ...backedOff({ ...sender, inFlight: undefined }, given), unconfirmed },
    effects: [
      { type: 'again', from: first.from, to: last.to, why },
      ...(dropped === undefined ? [] : [{ type: 'unconfirmed-dropped' as const, range: dropped }]),
    ],
  }
}

/** The collector answered: one result per frame of the batch, in their order. Anything else counts as no answer. */
export function answered(sender: SenderState, results: readonly FrameResult[], given: Circumstances): SenderStep {
  const { inFlight } = sender
  if (inFlight === undefined) return { sender, effects: [] }
  const { frames, collector } = inFlight
  if (!fits(sender, frames, results)) return unanswered(sender, 'an answer that does not fit', given)
  const moved = collector !== sender.collector
  let next: SenderState = { ...sender, inFlight: undefined }
  const effects: SenderEffect[] = []
  for (const [index, result] of results.entries()) {
    const frame = frames[index]
    if (frame === undefined) continue
    const step = oneResult(next, { frame, collector, result, moved }, given)
    next = step.sender
    effects.push(...step.effects)
    if (step.effects.some((effect) => effect.type === 'diverged')) return { sender: next, effects }
    if (isFailure(result)) {
      next = { ...next, unconfirmed: withStrays(next, inFlight, results, index + 1) }
      return ended(sender, { next, effects, why: result.outcome }, given)
    }
  }
  return ended(sender, { next, effects, why: undefined }, given)
}

/** Frames that were taken although one before them was not: the collector holds them, the checkpoint does not show it. */
function withStrays(
  sender: SenderState,
  inFlight: { readonly collector: string; readonly frames: readonly SentFrame[] },
  results: readonly FrameResult[],
  first: number,
): readonly Unconfirmed[] {
  let { unconfirmed } = sender
  for (const [index, { from, to }] of inFlight.frames.entries()) {
    const result = results[index]
    if (index >= first && result !== undefined && !isFailure(result))
      unconfirmed = withUnconfirmed(unconfirmed, { from, to, at: inFlight.collector }).unconfirmed
  }
  return unconfirmed
}

function ended(
  sender: SenderState,
  happened: { next: SenderState; effects: readonly SenderEffect[]; why: string | undefined },
  given: Circumstances,
): SenderStep {
  const { next, effects, why } = happened
  if (next.checkpoint > sender.checkpoint) return { sender: settled(next), effects: advanced(sender, next, effects) }
  if (why === undefined || next.failures > sender.failures) return { sender: next, effects }
  return { sender: next.holdUntilMs > given.nowMs ? next : backedOff(next, given), effects }
}

function fits(sender: SenderState, frames: readonly SentFrame[], results: readonly FrameResult[]): boolean {
  const each = results.every(
    (result, index) => result.stream === sender.stream && result.start === frames[index]?.from && sane(result),
  )
  return each && results.length === frames.length
}

interface Happened {
  readonly frame: SentFrame
  readonly collector: string
  readonly result: FrameResult
  /** The stream has been assigned elsewhere meanwhile: what this collector wants no longer matters. */
  readonly moved: boolean
}

function oneResult(sender: SenderState, happened: Happened, given: Circumstances): SenderStep {
  const { frame, result, collector, moved } = happened
  const again = (why: string): SenderEffect => ({ type: 'again', from: frame.from, to: frame.to, why })
  const later = moved ? sender : backedOff(sender, given)
  switch (result.outcome) {
    case 'stored':
    case 'duplicate':
      return durable(sender, { ...happened, range: result.durable, again: result.outcome === 'duplicate' }, given)
    case 'overlap':
      return overlapped(sender, { frame, moved, boundary: result.boundary, held: result.durable }, given)
    case 'expected':
      return expected(sender, { moved, held: result.durable, again: again('expected') }, given)
    case 'misdirected': {
      const resolve: SenderEffect = { type: 'resolve', refusedBy: collector, epoch: result.epoch, to: result.to }
      return { sender: later, effects: [again('misdirected'), resolve] }
    }
    case 'behind':
    case 'no-space':
      return { sender: moved ? sender : heldBack(sender, result.retryAfterMs, given), effects: [again(result.outcome)] }
    case 'diverged':
      return { sender, effects: [{ type: 'diverged' }] }
    case 'corrupt':
      return { sender: later, effects: [again('corrupt')] }
  }
}

function durable(
  sender: SenderState,
  happened: Happened & { range: ByteRange; again: boolean },
  given: Circumstances,
): SenderStep {
  const { frame, range, moved } = happened
  if (range.from > frame.from || range.to < frame.to)
    return {
      sender: backedOff(sender, given),
      effects: [{ type: 'again', from: frame.from, to: frame.to, why: 'a durable range that does not hold it' }],
    }
  const next = { ...sender, declare: moved ? sender.declare : false }
  const step = contains(range, sender.checkpoint) ? advance(next, range, given) : still(next)
  if (!happened.again) return step
  return { sender: step.sender, effects: [...step.effects, { type: 'duplicate', bytes: frame.to - frame.from }] }
}

/** The first such answer says that a range must be declared; a second one is a fault. */
function expected(
  sender: SenderState,
  happened: { moved: boolean; held: ByteRange | undefined; again: SenderEffect },
  given: Circumstances,
): SenderStep {
  const { moved, held, again } = happened
  const step = held === undefined || !contains(held, sender.checkpoint) ? still(sender) : advance(sender, held, given)
  const effects = [...step.effects, again]
  if (moved) return { sender: step.sender, effects }
  const declaring = { ...step.sender, declare: true }
  const repeated = sender.declare && declaring.checkpoint === sender.checkpoint
  return { sender: repeated ? backedOff(declaring, given) : { ...declaring, holdUntilMs: given.nowMs + 1 }, effects }
}

function overlapped(
  sender: SenderState,
  happened: { frame: SentFrame; moved: boolean; boundary: number; held: ByteRange | undefined },
  given: Circumstances,
): SenderStep {
  const { frame, held, boundary, moved } = happened
  const again: SenderEffect = { type: 'again', from: frame.from, to: frame.to, why: 'overlap' }
  if (held !== undefined && contains(held, sender.checkpoint) && held.to > sender.checkpoint) {
    const step = advance(sender, held, given)
    return { sender: step.sender, effects: [...step.effects, again] }
  }
  if (moved) return { sender, effects: [again] }
  const cuts = boundary > sender.checkpoint && boundary < frame.to && sender.endMax !== boundary
  return {
    sender: cuts ? { ...sender, endMax: boundary, holdUntilMs: given.nowMs + 1 } : backedOff(sender, given),
    effects: [again],
  }
}

function advance(sender: SenderState, range: ByteRange, given: Circumstances): SenderStep {
  if (range.to > given.sizeBytes) return { sender, effects: [{ type: 'diverged' }] }
  return still({ ...sender, checkpoint: Math.max(sender.checkpoint, range.to) })
}

function advanced(before: SenderState, after: SenderState, effects: readonly SenderEffect[]): SenderEffect[] {
  return [{ type: 'advanced', from: before.checkpoint, to: after.checkpoint }, ...effects]
}

/** After progress: no failures, and no unconfirmed ranges and no limit that the checkpoint has passed. */
function settled(sender: SenderState): SenderState {
  const { checkpoint, endMax } = sender
  return {
    ...sender,
    failures: 0,
    unconfirmed: sender.unconfirmed.filter((range) => range.to > checkpoint),
    endMax: endMax !== undefined && endMax <= checkpoint ? undefined : endMax,
  }
}

function backedOff(sender: SenderState, given: Circumstances): SenderState {
  const holdUntilMs = given.nowMs + backoffMs(backoff, sender.failures, given.chance)
  return { ...sender, failures: sender.failures + 1, holdUntilMs }
}

function heldBack(sender: SenderState, retryAfterMs: number, given: Circumstances): SenderState {
  return { ...sender, holdUntilMs: given.nowMs + Math.min(holdMaxMs, retryAfterMs * (1 + given.chance / 4)) }
}

function still(sender: SenderState): SenderStep {
  return { sender, effects: [] }
}

function contains(range: ByteRange, offset: number): boolean {
  return range.from <= offset && offset <= range.to
}

function isFailure(result: FrameResult): boolean {
  return result.outcome !== 'stored' && result.outcome !== 'duplicate'
}

function sane(result: FrameResult): boolean {
  return !('durable' in result) || result.durable === undefined || result.durable.from <= result.durable.to
}
