// One stream, one agent, two collectors, and everything that can go wrong between them, from a seed: crashes of each at
// any moment, moves, requests that arrive late or never, answers that get lost, disks that lose what was not synced. The
// decisions are the programs' own (the agent's sender, the collector's range table); this file is only the world.
//
// What must hold, always:
//   - a byte before the checkpoint is durable on some collector;
//   - no byte stands twice in one collector's log;
//   - a byte that stands on both is inside a range that a stored frame names as unconfirmed;
// and when the faults end, everything arrives.

import type { FrameResult, Unconfirmed } from '@catchment/protocol'
import type { Random } from '@catchment/runtime'
import { RangeTable, type OfferedFrame, type FrameVerdict } from '../../collector/src/decide/ranges.ts'
import {
  answered,
  assign,
  beginSender,
  nextBatch,
  recordOf,
  recorded,
  resumeSender,
  sent,
  unanswered,
  type Circumstances,
  type SenderRecord,
  type SenderState,
  type SenderStep,
  type SentFrame,
} from '../../source-agent/src/decide/sender.ts'
import { unconfirmedIn } from '../../source-agent/src/decide/unconfirmed.ts'

const stream = '0123456789abcdef0123456789abcdef'
type CollectorName = 'A' | 'B'

interface Frame extends OfferedFrame {
  readonly unconfirmed: readonly Unconfirmed[]
}

interface Request {
  readonly to: CollectorName
  /** The agent's life in which it was sent. */
  readonly life: number
  readonly frames: readonly Frame[]
  /** No one waits for the answer any more. */
  abandoned: boolean
}

interface Judged {
  readonly request: Request
  readonly verdicts: readonly { readonly frame: Frame; readonly verdict: FrameVerdict | undefined }[]
}

class SimulatedCollector {
  readonly name: CollectorName
  /** The log as it lies on disk: the first `synced` frames survive everything. */
  readonly log: Frame[] = []
  synced = 0
  table = new RangeTable()
  /** Of the frames after `synced`, in their order. */
  pending: number[] = []
  judged: Judged[] = []
  newestLife = 0

  constructor(name: CollectorName) {
    this.name = name
  }

  take(request: Request, serves: boolean): void {
    if (request.life < this.newestLife) return // another start of this agent has spoken: refused
    this.newestLife = request.life
    const verdicts = request.frames.map((frame) => {
      const verdict = serves ? this.table.offer(frame) : undefined
      if (verdict?.kind === 'store') {
        this.log.push(frame)
        this.pending.push(verdict.ticket)
      }
      return { frame, verdict }
    })
    this.judged.push({ request, verdicts })
  }

  /** fdatasync: all that was written is durable, and what waited for it is answered. */
  sync(): { request: Request; results: FrameResult[] }[] {
    for (const ticket of this.pending.splice(0)) this.table.commit(ticket)
    this.synced = this.log.length
    return this.judged.splice(0).map(({ request, verdicts }) => ({
      request,
      results: verdicts.map(({ frame, verdict }) =>
        verdict === undefined
          ? { stream, start: frame.start, outcome: 'misdirected', status: 421, group: 'g', epoch: 1 }
          : this.table.result(frame, verdict),
      ),
    }))
  }

  /** The machine dies: of what was not synced, a prefix has reached the disk. */
  crash(random: Random): void {
    const kept = this.synced + Math.floor(random.float() * (this.log.length - this.synced + 1))
    this.log.splice(kept)
    this.synced = this.log.length
    this.pending = []
    this.judged = []
    this.newestLife = 0
    this.table = new RangeTable()
    for (const frame of this.log) if (!this.table.recover(frame)) throw new Error('recovery found a byte twice')
  }
}

export class StreamWorld {
  readonly #random: Random
  readonly #collectors: Record<CollectorName, SimulatedCollector> = {
    A: new SimulatedCollector('A'),
    B: new SimulatedCollector('B'),
  }
  #size = 0
  #serving: CollectorName = 'A'
  #life = 1
  #nowMs = 0
  #sender: SenderState = beginSender(stream)
  #disk: SenderRecord = recordOf(beginSender(stream))
  #inFlight: Request | undefined
  /** Sent and not yet arrived; those at the front need not arrive first. */
  readonly #network: Request[] = []
  #reached = 0

  constructor(random: Random) {
    this.#random = random
  }

  get faults(): readonly (() => void)[] {
    return [
      () => {
        this.#agentCrashes()
      },
      () => {
        this.#collector().crash(this.#random)
        this.#giveUp('the collector died')
      },
      () => {
        this.#serving = this.#serving === 'A' ? 'B' : 'A'
      },
      () => {
        this.#giveUp('silence')
      },
      () => {
        if (this.#network.length > 0) this.#network.splice(this.#pick(this.#network.length), 1)
      },
    ]
  }

  get work(): readonly (() => void)[] {
    return [
      () => {
        this.#size += 1 + this.#pick(12)
      },
      () => {
        this.#agentActs()
      },
      () => {
        this.#agentActs()
      },
      () => {
        this.#agentHears()
      },
      () => {
        this.#arrives()
      },
      () => {
        this.#syncs(this.#collector())
      },
      () => {
        this.#disk = { ...this.#disk, checkpoint: this.#sender.checkpoint }
      },
      () => {
        this.#nowMs += 1000
      },
    ]
  }

  /** One random step, a fault with the given chance; then the invariants. */
  step(faultChance: number): void {
    const choices = this.#random.float() < faultChance ? this.faults : this.work
    choices[this.#pick(choices.length)]?.()
    this.check()
  }

  /** Without faults everything arrives. Throws when it does not. */
  quiesce(): void {
    for (let round = 0; round < 2000 && this.#sender.checkpoint < this.#size; round += 1) {
      this.#nowMs += 10_000
      this.#agentHears()
      this.#agentActs()
      while (this.#network.length > 0) this.#arrives()
      for (const collector of Object.values(this.#collectors)) this.#syncs(collector)
      if (this.#inFlight !== undefined && round % 3 === 2) this.#giveUp('silence')
      this.check()
    }
    if (this.#sender.checkpoint < this.#size)
      throw new Error(`stuck at ${this.#sender.checkpoint} of ${this.#size}: ${JSON.stringify(this.#sender)}`)
  }

  check(): void {
    const held = this.#held()
    this.#reached = Math.max(this.#reached, this.#sender.checkpoint)
    for (let byte = 0; byte < this.#reached; byte += 1)
      if (!held.A.has(byte) && !held.B.has(byte)) throw new Error(`byte ${byte} lies before the checkpoint and is lost`)
  }

  /** At the end: bytes on both collectors are named by a stored frame. Returns how many there are. */
  checkDoubles(): number {
    const held = this.#held()
    const named = Object.values(this.#collectors).flatMap((collector) =>
      collector.log.flatMap(({ unconfirmed }) => unconfirmed.map((range) => ({ ...range, by: collector.name }))),
    )
    const doubled = [...held.A].filter((byte) => held.B.has(byte))
    for (const byte of doubled)
      if (!named.some((range) => range.from <= byte && byte < range.to && range.at !== range.by))
        throw new Error(`byte ${byte} stands on both collectors and no frame names it as unconfirmed`)
    return doubled.length
  }

  #held(): Record<CollectorName, Set<number>> {
    const held = { A: new Set<number>(), B: new Set<number>() }
    for (const collector of Object.values(this.#collectors))
      for (const frame of collector.log.slice(0, collector.synced))
        for (let byte = frame.start; byte < frame.start + frame.rawBytes; byte += 1) {
          if (held[collector.name].has(byte))
            throw new Error(`byte ${byte} stands twice in the log of ${collector.name}`)
          held[collector.name].add(byte)
        }
    return held
  }

  #agentActs(): void {
    const turn = nextBatch(this.#sender, this.#nowMs)
    if (turn.type === 'record') {
      this.#disk = recordOf(this.#sender)
      this.#sender = recorded(this.#sender, this.#sender.collector)
    }
    if (turn.type !== 'send' || turn.from >= this.#size) return
    const end = Math.min(this.#size, turn.endMax ?? this.#size)
    const frames: Frame[] = []
    const sentFrames: SentFrame[] = []
    for (let from = turn.from; from < end && frames.length < 3;) {
      const to = Math.min(end, from + 1 + this.#pick(8))
      const unconfirmed = unconfirmedIn(this.#sender, from, to)
      frames.push({
        ...seams(from, to),
        stream,
        start: from,
        rawBytes: to - from,
        newRange: turn.declare && frames.length === 0,
        unconfirmed,
      })
      sentFrames.push({ from, to })
      from = to
    }
    this.#sender = sent(this.#sender, sentFrames)
    this.#inFlight = { to: turn.collector === 'A' ? 'A' : 'B', life: this.#life, frames, abandoned: false }
    this.#network.push(this.#inFlight)
  }

  /** The assigners say who serves the group now. */
  #agentHears(): void {
    this.#sender = assign(this.#sender, this.#serving)
  }

  #arrives(): void {
    const [request] = this.#network.splice(this.#pick(this.#network.length), 1)
    if (request !== undefined) this.#collectors[request.to].take(request, request.to === this.#serving)
  }

  #syncs(collector: SimulatedCollector): void {
    for (const { request, results } of collector.sync())
      if (!request.abandoned && request === this.#inFlight) {
        this.#inFlight = undefined
        this.#perform(answered(this.#sender, results, this.#given()))
      }
  }

  #giveUp(why: string): void {
    if (this.#inFlight === undefined) return
    this.#inFlight.abandoned = true
    this.#inFlight = undefined
    this.#perform(unanswered(this.#sender, why, this.#given()))
  }

  #agentCrashes(): void {
    if (this.#inFlight !== undefined) this.#inFlight.abandoned = true
    this.#inFlight = undefined
    this.#life += 1
    this.#sender = resumeSender(this.#disk, this.#size)
    this.#reached = Math.max(this.#reached, this.#sender.checkpoint)
  }

  #perform(step: SenderStep): void {
    if (step.effects.some((effect) => effect.type === 'diverged'))
      throw new Error('one stream cannot diverge from itself')
    this.#sender = step.sender
  }

  #collector(): SimulatedCollector {
    return this.#random.float() < 0.5 ? this.#collectors.A : this.#collectors.B
  }

  #given(): Circumstances {
    return { nowMs: this.#nowMs, chance: this.#random.float(), sizeBytes: this.#size }
  }

  #pick(below: number): number {
    return Math.floor(this.#random.float() * below)
  }
}

/** Checksums of the bytes at the seams, standing in for them: one content, so the offset reports it. */
function seams(from: number, to: number): { beforeCrc: number; afterCrc: number } {
  return { beforeCrc: from, afterCrc: to }
}
