// One schedule: a story in virtual time, with faults drawn from a seed. What runs is the shipped code: sessions, the
// library's encoding, the embedded server. Only sockets, time and randomness are ours, so that a seed repeats exactly.

import { openSession, ZooKeeperError, type ZooKeeperSession } from '@catchment/coordination'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import { asError, sleep, type Random } from '@catchment/runtime'
import { FakeClock, seededRandom } from '@catchment/testing'
import { faults, strike, type FaultName, type Reach } from './faults.ts'
import { MemberClock, type Member, type Victim } from './member.ts'
import { Network } from './network.ts'
import type { Played, Story, StoryWorld } from '../stories/story.ts'

const faultsMax = 6
const skewMsMax = 30
/** After the last fault: time for sessions to expire and for everyone to get on. */
const calmTimeouts = 4
/** Virtual time that finishing may take; what takes longer hangs. */
const finishMsMax = 120_000
const traceLinesShown = 80

export interface PlayedSchedule {
  readonly feltFaults: readonly FaultName[]
  /** What happened, with its virtual times. The same seed gives the same lines. */
  readonly trace: readonly string[]
}

/** Plays one schedule. Rejects with what went wrong, the seed and the last lines of the trace. */
export async function playSchedule(story: Story, seed: number): Promise<PlayedSchedule> {
  const schedule = new Schedule(story, seed)
  try {
    await schedule.run()
    return schedule
  } catch (thrown) {
    const trace = schedule.trace.slice(-traceLinesShown).join('\n')
    throw new Error(`${story.recipe}, seed ${seed}: ${asError(thrown).message}\n${trace}`, { cause: thrown })
  }
}

class Schedule implements Reach, StoryWorld {
  readonly random: Random
  readonly seed: number
  readonly sessionTimeoutMs: number
  readonly trace: string[] = []
  readonly feltFaults: FaultName[] = []
  readonly #story: Story
  readonly #clock = new FakeClock()
  readonly #victims: Victim[] = []
  readonly #playing = new Map<Victim, Promise<void>>()
  readonly #over = new AbortController()
  readonly #played: Played
  readonly #outsideNetwork: Network
  #server: ZookeeperServer | undefined
  #snapshot: Buffer | undefined
  #outside: Promise<ZooKeeperSession> | undefined
  #failure: Error | undefined
  #healed = false
  /** Sessions that the servers have ended before their time, by id. */
  readonly #endedAtMs = new Map<string, number>()
  #members = 0

  constructor(story: Story, seed: number) {
    this.#story = story
    this.seed = seed
    this.random = seededRandom(seed)
    this.sessionTimeoutMs = story.sessionTimeoutMs ?? 4_000
    this.#outsideNetwork = this.#network()
    this.#played = story.start(this)
  }

  async run(): Promise<void> {
    await this.startServer()
    for (let count = 0; count < this.#story.members; count += 1) this.join()
    const horizonMs = this.#story.horizonMs ?? 40_000
    const planned = 1 + Math.floor(this.random.float() * faultsMax)
    for (let count = 0; count < planned; count += 1)
      this.after(this.random.float() * horizonMs, () => {
        strike(this)
      })
    await this.#runUntil(horizonMs)
    const [first] = this.victims()
    if (this.feltFaults.length === 0 && first !== undefined) faults.partition(this, first)
    await this.#runUntil(horizonMs + this.sessionTimeoutMs)
    await this.#heal()
    await this.#runUntil(this.nowMs() + calmTimeouts * this.sessionTimeoutMs)
    this.note('the schedule is over')
    this.#over.abort()
    const living = [...this.#playing].filter(([{ dead }]) => !dead).map(([, playing]) => playing)
    await this.#drive('the members to finish', Promise.all(living))
    const outside = this.outside()
    await this.#drive(
      'the end of the story',
      outside.then((session) => this.#played.end?.(session)),
    )
    await this.#close()
  }

  nowMs(): number {
    return this.#clock.monotonicMs()
  }

  note(text: string): void {
    this.trace.push(`${this.nowMs().toFixed(1).padStart(9)}  ${text}`)
  }

  victims(): Victim[] {
    return this.#healed ? [] : this.#victims.filter(({ dead, member }) => !dead && member !== undefined)
  }

  members(): Member[] {
    return this.#victims.flatMap(({ dead, member }) => (dead || member === undefined ? [] : [member]))
  }

  after(delayMs: number, what: () => void): void {
    this.#clock.after(delayMs, what)
  }

  felt(name: FaultName): void {
    this.feltFaults.push(name)
  }

  expire({ member }: Victim): boolean {
    const id = member?.session.sessionId
    if (id === undefined || this.#server?.expireSession(BigInt(`0x${id}`)) !== true) return false
    this.#endedAtMs.set(id, this.nowMs())
    return true
  }

  stopServer(): void {
    if (this.#server === undefined) return
    this.#snapshot = this.#server.snapshot()
    void this.#server.close()
    this.#server = undefined
    for (const { network } of this.#victims) network.cut()
    this.#outsideNetwork.cut()
  }

  async startServer(): Promise<void> {
    if (this.#server !== undefined) return
    this.note('server starts')
    const server = await startServer({
      clock: this.#clock,
      random: this.random,
      sessionTimeoutMs: { min: 100, max: 600_000 },
      ...(this.#snapshot === undefined ? {} : { snapshot: this.#snapshot }),
    })
    this.#server = server
  }

  replace(victim: Victim): void {
    victim.network.weather = 'refusing'
    this.join()
  }

  outside(): Promise<ZooKeeperSession> {
    this.#outside ??= openSession({
      servers: 'memory',
      sessionTimeoutMs: 60_000,
      connectTimeoutMs: 600_000,
      clock: this.#clock,
      random: this.random,
      connect: () => this.#outsideNetwork.connect(),
    })
    return this.#outside
  }

  join(): void {
    this.#members += 1
    const name = `m${this.#members}`
    const clock = new MemberClock(this.#clock, (this.random.float() - 0.5) * skewMsMax)
    const random = seededRandom(Math.floor(this.random.float() * 2 ** 32))
    const victim: Victim & { member: Member | undefined } = {
      name,
      clock,
      network: this.#network(),
      member: undefined,
      dead: false,
    }
    this.#victims.push(victim)
    const playing = this.#play(victim, random).catch((thrown: unknown) => {
      this.#failure ??= asError(thrown)
    })
    this.#playing.set(victim, playing)
  }

  async #play(victim: Victim & { member: Member | undefined }, random: Random): Promise<void> {
    const { name, clock, network } = victim
    const session = await openSession({
      servers: 'memory',
      sessionTimeoutMs: this.sessionTimeoutMs,
      connectTimeoutMs: 10 * this.sessionTimeoutMs,
      clock,
      random,
      connect: () => network.connect(),
      log: (message, fields) => {
        this.note(`${name}: ${message} ${fields['error'] instanceof Error ? fields['error'].message : ''}`)
      },
    })
    victim.member = this.#member(victim, session, random)
    await this.#played.play(victim.member)
    this.note(`${name}: finished`)
    await session.close()
  }

  #member(victim: Victim, session: ZooKeeperSession, random: Random): Member {
    const { name, clock } = victim
    const endedAtMs = this.#endedAtMs
    const note = (text: string): void => {
      this.note(`${name}: ${text}`)
    }
    return {
      name,
      session,
      clock,
      random,
      signal: this.#over.signal,
      over: () => this.#over.signal.aborted,
      get awake() {
        return !victim.dead && !clock.stopped
      },
      get deposed() {
        return session.sessionId !== undefined && endedAtMs.has(session.sessionId)
      },
      sleep: (ms) => sleep(clock, ms, this.#over.signal).catch(() => undefined),
      note,
      attempt: async (what, call) => {
        try {
          return await call()
        } catch (thrown) {
          if (!(thrown instanceof ZooKeeperError)) throw thrown
          note(`${what}: ${thrown.code}, ${thrown.outcome}`)
          return undefined
        }
      },
    }
  }

  #network(): Network {
    return new Network(this.#clock, this.random, () => {
      const server = this.#server
      return server === undefined
        ? undefined
        : (socket) => {
            server.accept(socket)
          }
    })
  }

  async #heal(): Promise<void> {
    this.#healed = true
    this.note('everything heals')
    await this.startServer()
    for (const { network, clock, dead } of this.#victims) {
      network.disarm()
      if (dead) {
        network.weather = 'refusing'
        continue
      }
      network.weather = 'through'
      if (clock.stopped) clock.goOn()
      network.listening = true
    }
  }

  async #runUntil(untilMs: number): Promise<void> {
    while (await this.#clock.step(untilMs)) this.#look()
    await this.#clock.advance(untilMs - this.nowMs())
  }

  #look(): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#checkDeposed()
    this.#played.check()
  }

  /** Who is deposed hears of it before a session timeout is over: no ping of it is answered any more. */
  #checkDeposed(): void {
    for (const [id, atMs] of this.#endedAtMs) {
      if (this.nowMs() - atMs <= this.sessionTimeoutMs) continue
      const unaware = this.members().find(
        ({ awake, session }) => awake && session.sessionId === id && session.state === 'connected',
      )
      if (unaware !== undefined) throw new Error(`${unaware.name} does not know that its session ended at ${atMs}`)
    }
  }

  /** Lets time pass until `work` has settled; throws what it rejects with, or that it hangs. */
  async #drive(what: string, work: Promise<unknown>): Promise<void> {
    const state = { settled: false }
    const noted = work
      .catch((thrown: unknown) => {
        this.#failure ??= asError(thrown)
      })
      .finally(() => (state.settled = true))
    const untilMs = this.nowMs() + finishMsMax
    await this.#clock.advance(0)
    while (!state.settled) {
      if (!(await this.#clock.step(untilMs))) throw new Error(`${what}: hangs for ${finishMsMax} ms`)
      this.#look()
    }
    await noted
    this.#look()
  }

  async #close(): Promise<void> {
    const outside = await this.outside()
    await this.#drive('the outside session to close', outside.close())
    await this.#server?.close()
  }
}
