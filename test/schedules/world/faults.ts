import type { Random } from '@catchment/runtime'
import type { Victim } from './member.ts'
import type { Trap } from './network.ts'

/** What a fault may do to the world. */
export interface Reach {
  readonly random: Random
  readonly sessionTimeoutMs: number
  /** Those alive whom a fault may befall: no one any more when everything heals. */
  victims(): Victim[]
  after(delayMs: number, what: () => void): void
  note(text: string): void
  /** Says that a fault has been felt: a schedule without one proves nothing. */
  felt(name: FaultName): void
  expire(victim: Victim): boolean
  stopServer(): void
  startServer(): Promise<void>
  replace(victim: Victim): void
}

export type FaultName = keyof typeof faults

/** What can go wrong, each with how it is brought about. Durations lie on both sides of the session timeout. */
export const faults = {
  /** A write that never reaches the server. */
  'cut-before': (reach: Reach, victim: Victim) => {
    trap(reach, victim, 'before-request')
  },
  /** A write that is done, and its answer lost. */
  'cut-after': (reach: Reach, victim: Victim) => {
    trap(reach, victim, 'before-answer')
  },
  /** Nothing passes for a while, then everything does, late. */
  delay: (reach: Reach, victim: Victim) => {
    const ms = duration(reach)
    reach.note(`${victim.name}: network holds for ${Math.round(ms)} ms`)
    reach.felt('delay')
    victim.network.weather = 'held'
    reach.after(ms, () => (victim.network.weather = 'through'))
  },
  /** No server can be reached for a while. */
  partition: (reach: Reach, victim: Victim) => {
    const ms = duration(reach)
    reach.note(`${victim.name}: network refuses for ${Math.round(ms)} ms`)
    reach.felt('partition')
    victim.network.weather = 'refusing'
    reach.after(ms, () => (victim.network.weather = 'through'))
  },
  /** The server ends a session whose owner believes in it. */
  expire: (reach: Reach, victim: Victim) => {
    if (!reach.expire(victim)) return
    reach.note(`${victim.name}: session expired by the server`)
    reach.felt('expire')
  },
  /** A process is stopped, and goes on. */
  pause: (reach: Reach, victim: Victim) => {
    if (victim.clock.stopped) return
    const ms = duration(reach)
    reach.note(`${victim.name}: stopped for ${Math.round(ms)} ms`)
    reach.felt('pause')
    victim.clock.stop()
    victim.network.listening = false
    reach.after(ms, () => {
      if (victim.dead) return
      reach.note(`${victim.name}: goes on`)
      const timersFirst = reach.random.float() < 0.5
      if (timersFirst) victim.clock.goOn()
      victim.network.listening = true
      if (!timersFirst) victim.clock.goOn()
    })
  },
  /** A process dies, its host with it or not; another one comes in its place. */
  death: (reach: Reach, victim: Victim) => {
    const host = reach.random.float() < 0.5
    reach.note(`${victim.name}: ${host ? 'host' : 'process'} dies`)
    reach.felt('death')
    victim.dead = true
    victim.clock.stop()
    victim.network.listening = false
    victim.network.weather = host ? 'held' : 'refusing'
    reach.after(reach.random.float() * 2 * reach.sessionTimeoutMs, () => {
      reach.replace(victim)
    })
  },
  /** The server is killed and comes back with what it had acknowledged. */
  restart: (reach: Reach) => {
    const ms = duration(reach)
    reach.note(`server killed for ${Math.round(ms)} ms`)
    reach.felt('restart')
    reach.stopServer()
    reach.after(ms, () => void reach.startServer())
  },
} as const

const names = Object.keys(faults) as FaultName[]

/** How often a fault is not alone. */
const burstShare = 0.4
/** How soon something follows a cut: before the reconnect, or while what was under way is being repeated. */
const afterCutMsMax = 500

/** A fault, and sometimes one or two more before a session timeout is over: what guards against one is open to the next. */
export function strike(reach: Reach): void {
  const { random, sessionTimeoutMs } = reach
  const victim = one(reach)
  befall(reach, victim)
  if (random.float() >= burstShare) return
  for (let more = random.float() < 0.5 ? 1 : 2; more > 0; more -= 1)
    reach.after(random.float() * sessionTimeoutMs, () => {
      befall(reach, random.float() < 0.5 ? victim : one(reach))
    })
}

/** Any fault. */
function befall(reach: Reach, victim: Victim | undefined): void {
  const name = names[Math.floor(reach.random.float() * names.length)]
  if (name !== undefined && victim !== undefined && reach.victims().includes(victim)) faults[name](reach, victim)
}

function one(reach: Reach): Victim | undefined {
  const alive = reach.victims()
  return alive[Math.floor(reach.random.float() * alive.length)]
}

/** Half of the cuts are followed by something else. */
function trap(reach: Reach, victim: Victim, kind: Trap): void {
  const { random } = reach
  victim.network.lay(kind, () => {
    reach.note(`${victim.name}: cut ${kind.replace('-', ' the ')}`)
    reach.felt(kind === 'before-request' ? 'cut-before' : 'cut-after')
    if (random.float() < 0.5)
      reach.after(random.float() * afterCutMsMax, () => {
        befall(reach, victim)
      })
  })
}

function duration({ random, sessionTimeoutMs }: Reach): number {
  return random.float() < 0.5 ? random.float() * sessionTimeoutMs : (1 + 2 * random.float()) * sessionTimeoutMs
}
