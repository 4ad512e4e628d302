// Performs what the senders decide: records before the first frame leaves, hands streams that have a batch to the clients
// of their collectors, applies what came of the batches, and lets checkpoints advance.

import { EventEmitter } from 'node:events'
import type { AgentIdentity, FramesAnswer } from '@catchment/protocol'
import type { Background, Clock, HttpClient, Log, Random } from '@catchment/runtime'
import type { CheckpointLog } from '../data/checkpoint-log.ts'
import {
  answered,
  assign,
  nextBatch,
  recorded,
  refused,
  unanswered,
  type Circumstances,
  type SenderEffect,
  type SenderStep,
} from '../decide/sender.ts'
import type { OpenFiles } from '../files/open-files.ts'
import type { Counters } from '../metering/counters.ts'
import { limits } from '../metering/limits.ts'
import type { Loads } from '../metering/loads.ts'
import type { Resolver } from '../routing/resolver.ts'
import type { MemoryBudget } from '../streams/memory-budget.ts'
import type { OutgoingStream } from '../streams/outgoing-stream.ts'
import { CollectorClient, type BatchOutcome } from './collector-client.ts'
import type { Losses } from './losses.ts'
import type { StreamBatch } from './stream-batch.ts'

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
  readonly losses: Losses
  readonly memory: MemoryBudget
  readonly files: OpenFiles
  readonly requestTimeoutMs: number
}

export interface ShippingEvents {
  /** The stream has a collector, or another one: it may be read on. */
  assigned: [stream: OutgoingStream]
  /** The checkpoint has advanced, and the memory of what became durable is free. */
  advanced: [stream: OutgoingStream]
  /** The collector holds other bytes under the stream's id. */
  diverged: [stream: OutgoingStream]
}

const staleAskMs = 30_000

export class Shipping {
  readonly events = new EventEmitter<ShippingEvents>()
  readonly #options: ShippingOptions
  readonly #clients = new Map<string, CollectorClient>()
  readonly #byGroup = new Map<string, Set<OutgoingStream>>()
  readonly #holding = new WeakSet<OutgoingStream>()
  #staleAskedAtMs = -Infinity

  constructor(options: ShippingOptions) {
    this.#options = options
  }

  add(stream: OutgoingStream): void {
    const group = this.#byGroup.get(stream.group) ?? new Set()
    this.#byGroup.set(stream.group, group.add(stream))
    this.#assign(stream)
  }

  /** Its frames will not be sent. */
  remove(stream: OutgoingStream): void {
    this.#byGroup.get(stream.group)?.delete(stream)
    if (stream.sender.collector !== undefined) this.#clients.get(stream.sender.collector)?.drop(stream)
    stream.queue.clear()
  }

  /** The routes of these groups have changed. */
  routed(groups: readonly string[]): void {
    for (const group of groups) for (const stream of this.#byGroup.get(group) ?? []) this.#assign(stream)
  }

  /** Whether the stream's collector takes bytes; a failing one may not fill the memory. */
  takes(stream: OutgoingStream): boolean {
    const { collector } = stream.sender
    if (collector === undefined) return false
    return this.#client(collector).healthy || this.#options.memory.heldBytes < limits.failingMemoryBytesMax
  }

  get requestsUnderWay(): number {
    let sum = 0
    for (const client of this.#clients.values()) sum += client.underWay
    return sum
  }

  stop(): void {
    for (const client of this.#clients.values()) client.stop()
  }

  /** Frames, a route, or time have come: see what the stream wants now. */
  poke(stream: OutgoingStream): void {
    const { clock, background } = this.#options
    if (background.signal.aborted) return
    const next = nextBatch(stream.sender, clock.monotonicMs())
    switch (next.type) {
      case 'record':
        if (!stream.queue.empty) this.#record(stream)
        break
      case 'send':
        if (stream.queue.ready) this.#client(next.collector).ready(stream)
        break
      case 'wait':
        if (next.untilMs !== undefined) this.#pokeAt(stream, next.untilMs)
    }
  }

  #pokeAt(stream: OutgoingStream, untilMs: number): void {
    if (this.#holding.has(stream)) return
    this.#holding.add(stream)
    const { clock } = this.#options
    clock.after(Math.max(1, untilMs - clock.monotonicMs()), () => {
      this.#holding.delete(stream)
      this.poke(stream)
    })
  }

  #assign(stream: OutgoingStream): void {
    const route = this.#options.resolver.routeOf(stream.group)
    if (route === undefined) return
    const before = stream.sender.collector
    if (before !== undefined && before !== route.collector) this.#clients.get(before)?.drop(stream)
    stream.decided(assign(stream.sender, route.collector))
    this.poke(stream)
    this.events.emit('assigned', stream)
  }

  #record(stream: OutgoingStream): void {
    if (stream.recording) return
    stream.beginRecording()
    const { collector } = stream.sender
    const { background, checkpoints } = this.#options
    background.run('recording a stream', async () => {
      await checkpoints.put(stream.record())
      stream.endRecording()
      stream.decided(recorded(stream.sender, collector))
      this.poke(stream)
    })
  }

  #client(collector: string): CollectorClient {
    const known = this.#clients.get(collector)
    if (known !== undefined) return known
    const { agent, http, clock, random, log, background, requestTimeoutMs, resolver, loads } = this.#options
    const client = new CollectorClient({
      ...{ collector, agent, http, clock, random, log, background, requestTimeoutMs, resolver, loads },
    })
    client.events.on('ended', (batch, outcome) => {
      this.#ended(batch, outcome)
    })
    client.events.on('answered', (answer, groups) => {
      this.#answered(answer, groups)
    })
    client.events.on('untaken', (stream) => {
      this.poke(stream)
    })
    this.#clients.set(collector, client)
    return client
  }

  #ended(batch: StreamBatch, outcome: BatchOutcome): void {
    const { clock, random, counters, losses } = this.#options
    const { stream } = batch
    losses.answered(batch, outcome)
    const given: Circumstances = {
      nowMs: clock.monotonicMs(),
      chance: random.float(),
      sizeBytes: stream.missing === undefined ? stream.source.sizeBytes : Infinity, // how many there were is not known
    }
    const step = stepOf(stream, outcome, given)
    stream.decided(step.sender)
    for (const effect of step.effects) this.#perform(stream, effect)
    if (outcome.type !== 'refused') counters.add('sent_bytes', batch.rawBytes)
    this.poke(stream)
  }

  #perform(stream: OutgoingStream, effect: SenderEffect): void {
    const { log, counters, resolver } = this.#options
    const { id, group, path } = stream
    switch (effect.type) {
      case 'advanced':
        log.debug('acknowledged', { group, stream: id, from: effect.from, to: effect.to })
        this.#advance(stream, effect)
        break
      case 'duplicate':
        counters.add('duplicate_bytes', effect.bytes)
        log.debug('bytes were held already', { stream: id, bytes: effect.bytes })
        break
      case 'again':
        counters.add('sent_again', 1)
        log.info('sending again', { stream: id, from: effect.from, to: effect.to, why: effect.why })
        // A collector that stays behind has a tree that knows less than this agent: the assigners must learn of it.
        if (effect.why === 'behind') resolver.want(group, { epoch: resolver.epochOf(group), refusedBy: undefined })
        break
      case 'resolve':
        counters.add('misdirected', 1)
        resolver.want(group, { epoch: effect.epoch, refusedBy: effect.refusedBy })
        break
      case 'diverged':
        log.error('a collector holds other bytes under this id', { stream: id, path })
        counters.add('diverged', 1)
        this.events.emit('diverged', stream)
        break
      case 'unconfirmed-dropped':
        counters.add('doubts_dropped', 1)
        log.warn('too many collectors left unanswered', { stream: id, collector: effect.range.at })
    }
  }

  #advance(stream: OutgoingStream, { from, to }: { from: number; to: number }): void {
    const { checkpoints, counters, loads, files } = this.#options
    const { source } = stream
    stream.dropDurable(source.offset < to ? files.holdOf(stream.id) : undefined)
    checkpoints.advance(stream.id, {
      checkpoint: to,
      mark: stream.mark,
      sizeBytes: Math.max(source.sizeBytes, to),
    })
    counters.add('acknowledged_bytes', to - from)
    loads.backlog(stream.group, from - to)
    this.events.emit('advanced', stream)
  }

  #answered(answer: FramesAnswer, groups: readonly string[]): void {
    const { resolver, clock } = this.#options
    if (!answer.stale || clock.monotonicMs() - this.#staleAskedAtMs < staleAskMs) return
    this.#staleAskedAtMs = clock.monotonicMs()
    for (const group of groups) resolver.want(group, { epoch: answer.epoch, refusedBy: undefined })
  }
}

function stepOf(stream: OutgoingStream, outcome: BatchOutcome, given: Circumstances): SenderStep {
  switch (outcome.type) {
    case 'answered':
      return answered(stream.sender, outcome.results, given)
    case 'refused':
      return refused(stream.sender, outcome.untilMs)
    case 'unanswered':
      return unanswered(stream.sender, outcome.why, given)
  }
}
