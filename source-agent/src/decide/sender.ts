// How ONE stream is shipped. The state says what is durable (`checkpoint`), what is in flight, to whom, and what was sent
// to somebody and never answered (`doubts`). The shell performs: it records, sends, and reports what came back.
//
// Rules that keep lines from being lost or doubled:
//  - Every turn begins at the checkpoint, and at most one turn is in flight.
//  - The checkpoint advances to the end of a durable range only if that range contains the checkpoint.
//  - Before the first frame leaves for a collector, a durable record says so (`record`): after a crash the agent knows who
//    may hold bytes that it cannot remember having sent.
//  - The first frame of a turn to a collector after a move, a restart or a rewind declares a new range, until one is durable.
//  - A doubt (bytes that a collector may hold) is named by every frame that carries some of those bytes elsewhere.

import { unconfirmedMax, type ByteRange, type FrameResult, type Unconfirmed } from '@catchment/protocol'

/** What must survive a crash, besides the file's identity. */
export interface SenderRecord {
  readonly stream: string
  readonly checkpoint: number
  /** The collector that frames may have been sent to since the record was written. */
  readonly collector: string | undefined
  readonly doubts: readonly Unconfirmed[]
}

export interface SentFrame {
  readonly from: number
  readonly to: number
}

export interface Sender {
  readonly stream: string
  /** Every byte before it is durable on some collector. */
  readonly checkpoint: number
  /** Where frames go; undefined until somebody says. */
  readonly collector: string | undefined
  /** What the durable record says `collector` is. */
  readonly recorded: string | undefined
  readonly declare: boolean
  readonly inFlight: { readonly collector: string; readonly frames: readonly SentFrame[] } | undefined
  /** Bytes sent to somebody and never answered. */
  readonly doubts: readonly Unconfirmed[]
  /** The next turn ends here: behind it the collector already holds bytes. */
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
  /** More doubts than `doubtsMax`: the oldest can no longer be named. */
  | { readonly type: 'doubt-dropped'; readonly doubt: Unconfirmed }

export interface Step {
  readonly sender: Sender
  readonly effects: readonly SenderEffect[]
}

/** What the sender wants: a durable record of itself, a turn, or nothing for now. */
export type NextTurn =
  | { readonly type: 'record' }
  | {
      readonly type: 'send'
      readonly collector: string
      readonly from: number
      readonly endMax: number | undefined
      /** By the first frame of the turn alone. */
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

export const doubtsMax = unconfirmedMax
const backoffBaseMs = 100
const backoffMaxMs = 5000
/** No collector's Retry-After puts a stream to sleep for longer. */
const holdMaxMs = 60_000

/** A stream that nobody has heard of; `checkpoint` > 0 where following begins at the end of a file. */
export function beginSender(stream: string, checkpoint = 0): Sender {
  return {
    stream,
    checkpoint,
    collector: undefined,
    recorded: undefined,
    declare: true,
    inFlight: undefined,
    doubts: [],
    endMax: undefined,
    holdUntilMs: 0,
    failures: 0,
  }
}

/** A stream after a restart: everything behind the checkpoint may have been sent to the recorded collector. */
export function resumeSender(record: SenderRecord, sizeBytes: number): Sender {
  const { stream, checkpoint, collector } = record
  const sender = { ...beginSender(stream, checkpoint), collector, recorded: collector, doubts: record.doubts }
  if (collector === undefined || sizeBytes <= checkpoint) return sender
  return { ...sender, doubts: addDoubt(sender.doubts, { from: checkpoint, to: sizeBytes, at: collector }).doubts }
}

/**
 * What to make durable when `nextTurn` says `record`. Until the next such moment only the checkpoint in the durable record
 * may be advanced: were the collector written anew while another has bytes in flight, a crash would leave the doubt with
 * the wrong one.
 */
export function recordOf(sender: Sender): SenderRecord {
  const { stream, checkpoint, collector, doubts } = sender
  return { stream, checkpoint, collector, doubts }
}

/** The record with `collector` has become durable. */
export function recorded(sender: Sender, collector: string | undefined): Sender {
  return { ...sender, recorded: collector }
}

/** Its group is served by `collector`. A move takes effect for the next turn; what is in flight ends first. */
export function assign(sender: Sender, collector: string): Sender {
  if (collector === sender.collector) return sender
  return { ...sender, collector, declare: true, endMax: undefined, holdUntilMs: 0, failures: 0 }
}

export function nextTurn(sender: Sender, nowMs: number): NextTurn {
  const { collector, checkpoint } = sender
  if (sender.inFlight !== undefined || collector === undefined) return { type: 'wait', untilMs: undefined }
  if (sender.recorded !== collector) return { type: 'record' }
  if (nowMs < sender.holdUntilMs) return { type: 'wait', untilMs: sender.holdUntilMs }
  return { type: 'send', collector, from: checkpoint, endMax: sender.endMax, declare: sender.declare }
}

/** Which of the bytes [from, to) other collectors than the present one may hold: what a frame of them names. */
export function unconfirmedIn(sender: Sender, from: number, to: number): Unconfirmed[] {
  return sender.doubts
    .filter((doubt) => doubt.at !== sender.collector && doubt.from < to && doubt.to > from)
    .map((doubt) => ({ from: Math.max(from, doubt.from), to: Math.min(to, doubt.to), at: doubt.at }))
}

/** The turn has left: contiguous frames that begin at the checkpoint. */
export function sent(sender: Sender, frames: readonly SentFrame[]): Sender {
  const { collector } = sender
  if (collector === undefined || sender.inFlight !== undefined || frames[0]?.from !== sender.checkpoint)
    throw new Error(`stream ${sender.stream}: a turn must begin at ${sender.checkpoint}, with nothing in flight`)
  return { ...sender, inFlight: { collector, frames } }
}

/** The request was refused as a whole before it was taken (429, 503, no connection): nothing of it is anywhere. */
export function refused(sender: Sender, holdUntilMs: number): Step {
  return { sender: { ...sender, inFlight: undefined, holdUntilMs }, effects: [] }
}

/** Silence, a broken connection, or an answer that made no sense: the turn may be durable there, or become so. */
export function unanswered(sender: Sender, why: string, given: Circumstances): Step {
  const { inFlight } = sender
  const first = inFlight?.frames[0]
  const last = inFlight?.frames.at(-1)
  if (inFlight === undefined || first === undefined || last === undefined) return { sender, effects: [] }
  const added = addDoubt(sender.doubts, { from: first.from, to: last.to, at: inFlight.collector })
  return {
    sender: { ...backedOff({ ...sender, inFlight: undefined }, given), doubts: added.doubts },
    effects: [{ type: 'again', from: first.from, to: last.to, why }, ...added.effects],
  }
}

/** The collector answered: one result per frame of the turn, in their order. Anything else counts as no answer. */
export function answered(sender: Sender, results: readonly FrameResult[], given: Circumstances): Step {
  const { inFlight } = sender
  if (inFlight === undefined) return { sender, effects: [] }
  const { frames, collector } = inFlight
  if (!fits(sender, frames, results)) return unanswered(sender, 'an answer that does not fit', given)
  const moved = collector !== sender.collector
  let next: Sender = { ...sender, inFlight: undefined }
  const effects: SenderEffect[] = []
  for (const [index, result] of results.entries()) {
    const frame = frames[index]
    if (frame === undefined) continue
    const step = oneResult(next, { frame, collector, result, moved }, given)
    next = step.sender
    effects.push(...step.effects)
    if (step.effects.some((effect) => effect.type === 'diverged')) return { sender: next, effects }
    if (isFailure(result)) {
      const strays = strayRanges(frames, results, index + 1)
      return ended(sender, { next: withDoubts(next, strays, collector), effects, why: result.outcome }, given)
    }
  }
  return ended(sender, { next, effects, why: undefined }, given)
}

/** Frames that were taken although one before them was not: the collector holds them, the checkpoint cannot tell. */
function strayRanges(frames: readonly SentFrame[], results: readonly FrameResult[], first: number): SentFrame[] {
  return frames.filter((_, index) => {
    const result = results[index]
    return index >= first && result !== undefined && !isFailure(result)
  })
}

function withDoubts(sender: Sender, strays: readonly SentFrame[], at: string): Sender {
  const doubts = strays.reduce<readonly Unconfirmed[]>(
    (all, { from, to }) => addDoubt(all, { from, to, at }).doubts,
    sender.doubts,
  )
  return { ...sender, doubts }
}

function ended(
  sender: Sender,
  happened: { next: Sender; effects: readonly SenderEffect[]; why: string | undefined },
  given: Circumstances,
): Step {
  const { next, effects, why } = happened
  if (next.checkpoint > sender.checkpoint) return { sender: settled(next), effects: advanced(sender, next, effects) }
  if (why === undefined || next.failures > sender.failures) return { sender: next, effects }
  return { sender: next.holdUntilMs > given.nowMs ? next : backedOff(next, given), effects }
}

function fits(sender: Sender, frames: readonly SentFrame[], results: readonly FrameResult[]): boolean {
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

function oneResult(sender: Sender, happened: Happened, given: Circumstances): Step {
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
  sender: Sender,
  happened: Happened & { range: ByteRange; again: boolean },
  given: Circumstances,
): Step {
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

/** The first such answer is how one learns that a range must be declared; to be told so again is a fault. */
function expected(
  sender: Sender,
  happened: { moved: boolean; held: ByteRange | undefined; again: SenderEffect },
  given: Circumstances,
): Step {
  const { moved, held, again } = happened
  const step = held === undefined || !contains(held, sender.checkpoint) ? still(sender) : advance(sender, held, given)
  const effects = [...step.effects, again]
  if (moved) return { sender: step.sender, effects }
  const told = { ...step.sender, declare: true }
  const repeated = sender.declare && told.checkpoint === sender.checkpoint
  return { sender: repeated ? backedOff(told, given) : { ...told, holdUntilMs: given.nowMs + 1 }, effects }
}

function overlapped(
  sender: Sender,
  happened: { frame: SentFrame; moved: boolean; boundary: number; held: ByteRange | undefined },
  given: Circumstances,
): Step {
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

function advance(sender: Sender, range: ByteRange, given: Circumstances): Step {
  if (range.to > given.sizeBytes) return { sender, effects: [{ type: 'diverged' }] }
  return still({ ...sender, checkpoint: Math.max(sender.checkpoint, range.to) })
}

function advanced(before: Sender, after: Sender, effects: readonly SenderEffect[]): SenderEffect[] {
  return [{ type: 'advanced', from: before.checkpoint, to: after.checkpoint }, ...effects]
}

/** After progress: no failures, no doubts and no limit behind the checkpoint. */
function settled(sender: Sender): Sender {
  const { checkpoint, endMax } = sender
  return {
    ...sender,
    failures: 0,
    doubts: sender.doubts.filter((doubt) => doubt.to > checkpoint),
    endMax: endMax !== undefined && endMax <= checkpoint ? undefined : endMax,
  }
}

function backedOff(sender: Sender, given: Circumstances): Sender {
  const ceilingMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(sender.failures, 10))
  const holdUntilMs = given.nowMs + ceilingMs * (0.5 + given.chance / 2)
  return { ...sender, failures: sender.failures + 1, holdUntilMs }
}

function heldBack(sender: Sender, retryAfterMs: number, given: Circumstances): Sender {
  return { ...sender, holdUntilMs: given.nowMs + Math.min(holdMaxMs, retryAfterMs * (1 + given.chance / 4)) }
}

function addDoubt(
  doubts: readonly Unconfirmed[],
  doubt: Unconfirmed,
): { doubts: readonly Unconfirmed[]; effects: readonly SenderEffect[] } {
  const same = doubts.find((other) => other.at === doubt.at)
  const merged =
    same === undefined
      ? doubt
      : { from: Math.min(same.from, doubt.from), to: Math.max(same.to, doubt.to), at: doubt.at }
  const all = [...doubts.filter((other) => other !== same), merged]
  const oldest = all[0]
  if (all.length <= doubtsMax || oldest === undefined) return { doubts: all, effects: [] }
  return { doubts: all.slice(1), effects: [{ type: 'doubt-dropped', doubt: oldest }] }
}

function still(sender: Sender): Step {
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
