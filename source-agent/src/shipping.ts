// Performs what the senders decide: records before the first frame leaves, hands turns to the lanes, applies what came of
// them, and lets checkpoints advance.

import { limits } from './limits.ts'
import type { AgentIdentity, FramesAnswer, GroupReport } from '@catchment/protocol'
import { asError, type Background, type Clock, type HttpClient, type Log, type Random } from '@catchment/runtime'
import type { CheckpointLog } from './checkpoint-log.ts'
import type { Counters } from './counters.ts'
import {
  answered,
  assign,
  nextTurn,
  recorded,
  refused,
  sent,
  unanswered,
  type Circumstances,
  type SenderEffect,
  type Step,
} from './decide/sender.ts'
import { toRecord, type Followed } from './followed.ts'
import type { HeldFile } from './held-file.ts'
import { Lane, type TurnEnd } from './lane.ts'
import type { Loads } from './loads.ts'
import type { Resolver } from './resolver.ts'
import { dropDurable, takeTurn, type Turn, type TurnLimits } from './turns.ts'

export interface ShippingOptions {
  readonly agent: AgentIdentity
  readonly http: HttpClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly background: Background
  readonly checkpoints: CheckpointLog
  readonly resolver: Resolver
  readonly loads: Loads
  readonly counters: Counters
  readonly requestTimeoutMs: number
  readonly hold: (followed: Followed) => HeldFile | undefined
  /** So many bytes of memory are free again; the stream may be read on. */
  readonly freed: (followed: Followed, bytes: number) => void
  /** The collector holds other bytes under the stream's id. */
  readonly diverged: (followed: Followed) => void
  /** What came of a turn of a stream that has bytes missing; the sender hears of it next. */
  readonly missingAnswered: (turn: Turn, end: TurnEnd) => void
  /** The checkpoint has advanced. */
  readonly advanced: (followed: Followed) => void
}

const staleAskMs = 30_000

export class Shipping {
  readonly #options: ShippingOptions
  readonly #lanes = new Map<string, Lane>()
  readonly #byGroup = new Map<string, Set<Followed>>()
  readonly #holding = new WeakSet<Followed>()
  #staleAskedAtMs = -Infinity

  constructor(options: ShippingOptions) {
    this.#options = options
  }

  add(followed: Followed): void {
    const group = this.#byGroup.get(followed.group) ?? new Set()
    this.#byGroup.set(followed.group, group.add(followed))
    this.#assign(followed)
  }

  remove(followed: Followed): void {
    this.#byGroup.get(followed.group)?.delete(followed)
    if (followed.sender.collector !== undefined) this.#lanes.get(followed.sender.collector)?.drop(followed)
  }

  /** The routes of these groups have changed. */
  routed(groups: readonly string[]): void {
    for (const group of groups) for (const followed of this.#byGroup.get(group) ?? []) this.#assign(followed)
  }

  /** Whether the stream's collector takes bytes; a failing one may not fill the memory. */
  mayRead(followed: Followed, heldBytes: number): boolean {
    const { collector } = followed.sender
    if (collector === undefined) return false
    return this.#lane(collector).healthy || heldBytes < limits.failingMemoryBytesMax
  }

  get requestsUnderWay(): number {
    let sum = 0
    for (const lane of this.#lanes.values()) sum += lane.underWay
    return sum
  }

  stop(): void {
    for (const lane of this.#lanes.values()) lane.stop()
  }

  /** Frames, a route, or time have come: see what the stream wants now. */
  poke(followed: Followed): void {
    const { clock, background } = this.#options
    if (background.signal.aborted) return
    const turn = nextTurn(followed.sender, clock.monotonicMs())
    switch (turn.type) {
      case 'record':
        if (followed.frames.length > 0) this.#record(followed)
        break
      case 'send':
        if (followed.frames[0]?.payload !== undefined) this.#lane(turn.collector).ready(followed)
        break
      case 'wait':
        if (turn.untilMs !== undefined) this.#pokeAt(followed, turn.untilMs)
    }
  }

  #pokeAt(followed: Followed, untilMs: number): void {
    if (this.#holding.has(followed)) return
    this.#holding.add(followed)
    const { clock } = this.#options
    clock.after(Math.max(1, untilMs - clock.monotonicMs()), () => {
      this.#holding.delete(followed)
      this.poke(followed)
    })
  }

  #assign(followed: Followed): void {
    const route = this.#options.resolver.routeOf(followed.group)
    if (route === undefined) return
    const before = followed.sender.collector
    if (before !== undefined && before !== route.collector) this.#lanes.get(before)?.drop(followed)
    followed.sender = assign(followed.sender, route.collector)
    this.poke(followed)
    this.#options.freed(followed, 0)
  }

  #record(followed: Followed): void {
    if (followed.recording) return
    followed.recording = true
    const { collector } = followed.sender
    const { background, checkpoints } = this.#options
    background.run('recording a stream', async () => {
      await checkpoints.put(toRecord(followed))
      followed.recording = false
      followed.sender = recorded(followed.sender, collector)
      this.poke(followed)
    })
  }

  #lane(collector: string): Lane {
    const known = this.#lanes.get(collector)
    if (known !== undefined) return known
    const { agent, http, clock, random, log, background, requestTimeoutMs, resolver, loads } = this.#options
    const lane = new Lane({
      ...{ collector, agent, http, clock, random, log, background, requestTimeoutMs },
      url: () => resolver.urlOf(collector),
      take: (followed, limits) => this.#take(followed, collector, limits),
      report: (group) => loads.report(group, resolver.groups.get(group)?.epoch ?? 0),
      ended: (turn, end) => {
        this.#ended(turn, end)
      },
      answeredAll: (answer, reports) => {
        this.#answeredAll(answer, reports)
      },
      failed: () => {
        for (const group of resolver.groupsAt(collector))
          resolver.want(group, { epoch: resolver.groups.get(group)?.epoch ?? 0, refusedBy: collector })
      },
    })
    this.#lanes.set(collector, lane)
    return lane
  }

  #take(followed: Followed, collector: string, limits: TurnLimits): Turn | undefined {
    const next = nextTurn(followed.sender, this.#options.clock.monotonicMs())
    if (next.type !== 'send' || next.collector !== collector) {
      this.poke(followed)
      return undefined
    }
    try {
      const turn = takeTurn(followed, next, this.#options.agent.id, limits)
      if (turn !== undefined) followed.sender = sent(followed.sender, turn.frames)
      return turn
    } catch (thrown) {
      // One stream whose frames cannot be made (a path of strange bytes, say) must not stop the others.
      this.#options.log.error('cannot make frames', { path: followed.path, reason: asError(thrown).message })
      return undefined
    }
  }

  #ended(turn: Turn, end: TurnEnd): void {
    const { followed } = turn
    if (followed.loss !== undefined) this.#options.missingAnswered(turn, end)
    const given: Circumstances = {
      nowMs: this.#options.clock.monotonicMs(),
      chance: this.#options.random.float(),
      sizeBytes: followed.loss === undefined ? followed.sizeBytes : Infinity, // how many there were is not known
    }
    this.#apply(followed, stepOf(turn, end, given))
    const sentBytes = turn.rawBytes
    if (end.type !== 'refused') this.#options.counters.add('sent_bytes', sentBytes)
    this.poke(followed)
  }

  #apply(followed: Followed, step: Step): void {
    followed.sender = step.sender
    for (const effect of step.effects) this.#perform(followed, effect)
  }

  #perform(followed: Followed, effect: SenderEffect): void {
    const { log, counters, resolver } = this.#options
    switch (effect.type) {
      case 'advanced':
        log.debug('acknowledged', { group: followed.group, stream: followed.stream, from: effect.from, to: effect.to })
        this.#advance(followed, effect)
        break
      case 'duplicate':
        counters.add('duplicate_bytes', effect.bytes)
        log.debug('bytes were held already', { stream: followed.stream, bytes: effect.bytes })
        break
      case 'again':
        counters.add('sent_again', 1)
        log.info('sending again', { stream: followed.stream, from: effect.from, to: effect.to, why: effect.why })
        // A collector that stays behind has a tree that knows less than this agent: the assigners are to hear of it.
        if (effect.why === 'behind') this.#ask(followed.group)
        break
      case 'resolve':
        counters.add('misdirected', 1)
        resolver.want(followed.group, { epoch: effect.epoch, refusedBy: effect.refusedBy })
        break
      case 'diverged':
        log.error('a collector holds other bytes under this id', { stream: followed.stream, path: followed.path })
        counters.add('diverged', 1)
        this.#options.diverged(followed)
        break
      case 'doubt-dropped':
        counters.add('doubts_dropped', 1)
        log.warn('too many collectors left unanswered', { stream: followed.stream, collector: effect.doubt.at })
    }
  }

  #advance(followed: Followed, effect: { from: number; to: number }): void {
    const { checkpoints, counters, loads, freed, advanced } = this.#options
    const beyond = followed.readOffset < effect.to
    freed(followed, dropDurable(followed, beyond ? this.#options.hold(followed) : undefined))
    checkpoints.advance(followed.stream, {
      checkpoint: effect.to,
      mark: followed.mark,
      sizeBytes: Math.max(followed.sizeBytes, effect.to),
    })
    counters.add('acknowledged_bytes', effect.to - effect.from)
    loads.backlog(followed.group, effect.from - effect.to)
    advanced(followed)
  }

  #answeredAll(answer: FramesAnswer, reports: readonly GroupReport[]): void {
    const { loads, resolver, clock } = this.#options
    for (const report of reports) loads.reported(report)
    if (!answer.stale || clock.monotonicMs() - this.#staleAskedAtMs < staleAskMs) return
    this.#staleAskedAtMs = clock.monotonicMs()
    for (const { group } of reports) resolver.want(group, { epoch: answer.epoch, refusedBy: undefined })
  }

  /** Where the group goes by now, nobody having refused it. */
  #ask(group: string): void {
    const { resolver } = this.#options
    resolver.want(group, { epoch: resolver.groups.get(group)?.epoch ?? 0, refusedBy: undefined })
  }
}

function stepOf(turn: Turn, end: TurnEnd, given: Circumstances): Step {
  const { sender } = turn.followed
  switch (end.type) {
    case 'answered': {
      const results = end.answer.results.slice(end.first, end.first + turn.frames.length)
      return answered(sender, results, given)
    }
    case 'refused':
      return refused(sender, end.untilMs)
    case 'unanswered':
      return unanswered(sender, end.why, given)
  }
}
