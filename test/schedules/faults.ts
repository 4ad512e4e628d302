import type { Random } from '@catchment/runtime'
import type { Victim } from './member.ts'

/** What a fault may do to the world. */
export interface Reach {
  readonly random: Random
  readonly sessionTimeoutMs: number
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
  'cut-before': (reach: Reach) => {
    trap(reach, 'before-request', 'cut-before')
  },
  /** A write that is done, and its answer lost. */
  'cut-after': (reach: Reach) => {
    trap(reach, 'before-answer', 'cut-after')
  },
  /** Nothing passes for a while, then everything does, late. */
  delay: (reach: Reach) => {
    const victim = one(reach)
    if (victim === undefined) return
    const ms = duration(reach)
    reach.note(`${victim.name}: network holds for ${Math.round(ms)} ms`)
    reach.felt('delay')
    victim.network.weather = 'held'
    reach.after(ms, () => (victim.network.weather = 'through'))
  },
  /** No server can be reached for a while. */
  partition: (reach: Reach) => {
    const victim = one(reach)
    if (victim === undefined) return
    const ms = duration(reach)
    reach.note(`${victim.name}: network refuses for ${Math.round(ms)} ms`)
    reach.felt('partition')
    victim.network.weather = 'refusing'
    reach.after(ms, () => (victim.network.weather = 'through'))
  },
  /** The server ends a session whose owner believes in it. */
  expire: (reach: Reach) => {
    const victim = one(reach)
    if (victim === undefined || !reach.expire(victim)) return
    reach.note(`${victim.name}: session expired by the server`)
    reach.felt('expire')
  },
  /** A process is stopped, and goes on. */
  pause: (reach: Reach) => {
    const victim = one(reach)
    if (victim === undefined || victim.clock.stopped) return
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
  death: (reach: Reach) => {
    const victim = one(reach)
    if (victim === undefined) return
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

/**
 * Those after which two never believe at one instant that they hold the same. When the servers end a session before its
 * lease is over, the news takes time to reach its owner.
 */
export const untoldFaults = (Object.keys(faults) as FaultName[]).filter((name) => name !== 'expire')

/** Someone alive, if there is anyone. */
function one(reach: Reach): Victim | undefined {
  const alive = reach.victims().filter(({ dead, member }) => !dead && member !== undefined)
  return alive[Math.floor(reach.random.float() * alive.length)]
}

function trap(reach: Reach, kind: 'before-request' | 'before-answer', name: 'cut-before' | 'cut-after'): void {
  const victim = one(reach)
  victim?.network.lay(kind, () => {
    reach.note(`${victim.name}: cut ${kind.replace('-', ' the ')}`)
    reach.felt(name)
  })
}

function duration({ random, sessionTimeoutMs }: Reach): number {
  return random.float() < 0.5 ? random.float() * sessionTimeoutMs : (1 + 2 * random.float()) * sessionTimeoutMs
}
