// Asks the assigners where groups go: one long poll at a time, for all groups that have no accepting collector. What is
// known is kept on disk, so that an agent that starts while no assigner answers ships where it last did.

import { EventEmitter } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import {
  parseJson,
  resolveAnswerSchema,
  resolveGroupsMax,
  type AgentIdentity,
  type ResolveAnswer,
} from '@catchment/protocol'
import {
  asError,
  fullJitter,
  sleep,
  writeFileDurably,
  type Clock,
  type HttpClient,
  type Log,
  type Random,
  type Timer,
} from '@catchment/runtime'
import type { Assigners } from './assigners.ts'
import { learn, type CollectorRoute, type Routes, type Wanted } from '../decide/routing.ts'

export interface ResolverOptions {
  readonly assigners: Pick<Assigners, 'origin' | 'failed'>
  readonly agent: AgentIdentity
  readonly http: HttpClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly directory: string
}

export interface ResolverEvents {
  /** The collectors or URLs of these groups are others now. */
  changed: [groups: readonly string[]]
}

const waitMs = 20_000
const batchMs = 10
const pendingPauseMs = 300
const saveDelayMs = 200
const savedSchema = z.array(z.object({ group: z.string(), collector: z.string(), url: z.url(), epoch: z.number() }))

export class Resolver {
  readonly events = new EventEmitter<ResolverEvents>()
  readonly #options: ResolverOptions
  readonly #wanted = new Map<string, Wanted>()
  readonly #urls = new Map<string, string>()
  #routes: Routes = new Map()
  #wake: () => void = () => undefined
  #interrupt = new AbortController()
  #unsaved = false
  #saveTimer: Timer | undefined
  #saving: Promise<void> = Promise.resolve()
  asked = 0

  constructor(options: ResolverOptions) {
    this.#options = options
  }

  /** Where `group` goes; asks for it when nothing is known. */
  routeOf(group: string): CollectorRoute | undefined {
    const route = this.#routes.get(group)
    if (route === undefined && !this.#wanted.has(group)) this.want(group, { epoch: 0, refusedBy: undefined })
    return route
  }

  /** The URL that was last learned of `collector`. */
  urlOf(collector: string): string | undefined {
    return this.#urls.get(collector)
  }

  get groups(): Routes {
    return this.#routes
  }

  /** The epoch of the group's route; 0 while none is known. */
  epochOf(group: string): number {
    return this.#routes.get(group)?.epoch ?? 0
  }

  /** `collector` refuses connections, is silent, or refuses this agent: asks where its groups are now. */
  wantAllOf(collector: string): void {
    for (const [group, route] of this.#routes)
      if (route.collector === collector) this.want(group, { epoch: route.epoch, refusedBy: collector })
  }

  /** `group` has no accepting collector, or a collector knows a newer epoch. */
  want(group: string, refusal: Pick<Wanted, 'epoch' | 'refusedBy'>): void {
    const want = { ...refusal, refusedUrl: refusal.refusedBy && this.#urls.get(refusal.refusedBy) }
    const known = this.#wanted.get(group)
    const same = known?.refusedBy === want.refusedBy && known?.refusedUrl === want.refusedUrl
    if (known !== undefined && same && known.epoch >= want.epoch) return
    this.#wanted.set(group, want)
    this.#interrupt.abort(new Error('more to ask for'))
    this.#wake()
  }

  async load(): Promise<void> {
    try {
      const text = await readFile(this.#path, 'utf8')
      const saved = parseJson(savedSchema, text, this.#path)
      this.#routes = new Map(saved.map(({ group, ...route }) => [group, route]))
      for (const { collector, url } of saved) this.#urls.set(collector, url)
    } catch (thrown) {
      this.#options.log.debug('no assignment is remembered', { reason: asError(thrown).message })
    }
  }

  /** Asks until `signal` aborts. When it has ended nothing is being saved, and nothing will be but by `save`. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#askOn(signal)
    } finally {
      this.#saveTimer?.cancel()
      await this.#saving
    }
  }

  async #askOn(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const policy = fullJitter(random, { baseMs: 200, maxMs: 5000 })
    let delays: Iterator<number, unknown> = policy()
    for (;;) {
      if (this.#wanted.size === 0) await this.#woken(signal)
      signal.throwIfAborted()
      await sleep(clock, batchMs, signal)
      this.#interrupt = new AbortController()
      const outcome = await this.#ask(signal)
      if (outcome === 'answered') delays = policy()
      if (outcome === 'failed') {
        const next = delays.next()
        await sleep(clock, next.done === true ? 5000 : 50 + next.value, signal)
      }
      if (outcome === 'answered' && this.#wanted.size > 0) await this.#pause(signal)
    }
  }

  /** Saves run one after the other: they write through one temporary file. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#saveNow())
    return this.#saving
  }

  async #saveNow(): Promise<void> {
    if (!this.#unsaved) return
    this.#unsaved = false
    const saved = [...this.#routes].map(([group, route]) => ({ group, ...route }))
    try {
      await writeFileDurably(this.#path, JSON.stringify(saved))
    } catch (thrown) {
      this.#unsaved = true
      this.#options.log.warn('cannot remember the assignment', { reason: asError(thrown).message })
    }
  }

  get #path(): string {
    return join(this.#options.directory, 'assignment.json')
  }

  /** Nothing new yet: a pause, which a new question ends. */
  async #pause(signal: AbortSignal): Promise<void> {
    const ends = AbortSignal.any([signal, this.#interrupt.signal])
    await sleep(this.#options.clock, pendingPauseMs * (1 + this.#options.random.float()), ends).catch(() => undefined)
  }

  #woken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      signal.addEventListener('abort', () => {
        resolve()
      })
    })
  }

  async #ask(signal: AbortSignal): Promise<'answered' | 'failed' | 'interrupted'> {
    const { assigners, agent, http, log } = this.#options
    const { origin } = assigners
    const asked = new Map([...this.#wanted].slice(0, resolveGroupsMax))
    const groups = [...asked].map(([group, want]) => ({
      group,
      ...this.#newest(group, want),
      ...(want.refusedBy !== undefined && { refusedBy: want.refusedBy }),
      ...(want.refusedUrl !== undefined && { refusedUrl: want.refusedUrl }),
    }))
    const interrupt = this.#interrupt.signal
    this.asked += 1
    try {
      const answer = await http.request({
        method: 'POST',
        url: `${origin}/v1/resolve`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ agent, groups, waitMs }),
        timeoutMs: waitMs + 10_000,
        signal: AbortSignal.any([signal, interrupt]),
      })
      if (answer.status !== 200) throw new Error(`it answered ${answer.status}`)
      this.#learn(origin, asked, parseJson(resolveAnswerSchema, answer.body.toString('utf8'), 'the answer'))
      return 'answered'
    } catch (thrown) {
      if (signal.aborted || interrupt.aborted) return 'interrupted'
      assigners.failed(origin)
      log.warn('cannot resolve', { assigner: origin, groups: groups.length, reason: asError(thrown).message })
      return 'failed'
    }
  }

  /** The newest epoch that is known of the group, be it from who served it: an assigner that knows less finds out. */
  #newest(group: string, want: Wanted): { epoch?: number } {
    const epoch = Math.max(want.epoch, this.epochOf(group))
    return epoch > 0 ? { epoch } : {}
  }

  #learn(origin: string, asked: ReadonlyMap<string, Wanted>, answer: ResolveAnswer): void {
    const { log } = this.#options
    const learned = learn(this.#routes, asked, answer)
    for (const group of learned.settled) if (this.#wanted.get(group) === asked.get(group)) this.#wanted.delete(group)
    if (learned.older.length > 0) {
      this.#options.assigners.failed(origin)
      log.debug('an assigner answered with an older epoch', { epoch: answer.epoch, groups: learned.older.length })
    }
    const known = this.#routes
    this.#routes = learned.routes
    // Of what was answered alone: routes of other groups may still hold the URL of a former start.
    const settled = new Set(learned.settled)
    for (const { group, collector, url } of answer.assigned) if (settled.has(group)) this.#urls.set(collector, url)
    if (learned.changed.length > 0) this.#changed(learned.changed, known)
  }

  #changed(changed: readonly string[], known: Routes): void {
    const { log, clock } = this.#options
    for (const group of changed) {
      const now = this.#routes.get(group)
      const before = known.get(group)?.collector
      log.info('a group is served by', { group, from: before, to: now?.collector, url: now?.url, epoch: now?.epoch })
    }
    if (!this.#unsaved)
      this.#saveTimer = clock.after(saveDelayMs, () => {
        void this.save()
      })
    this.#unsaved = true
    this.events.emit('changed', changed)
  }
}
