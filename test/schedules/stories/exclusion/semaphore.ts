import type { Hold } from '@catchment/coordination'
import { resizeSemaphore, semaphore, type Semaphore } from '@catchment/coordination/recipes'
import { Holders, nothingIsLeft } from './holders.ts'
import type { Member } from '../../world/member.ts'
import type { Story, StoryWorld } from '../story.ts'

const path = '/locks/semaphore'
const leases = 2
const leasesMax = 3
const longMs = 5_000
/** Longer than news is late without anyone noticing: two thirds of the session timeout. */
const idleMsMax = 3_000

/**
 * Never more than the number hold at one instant; no lease is left idle while someone waits for it; everyone gets its turn;
 * no node is left.
 */
export const semaphoreStory: Story = {
  recipe: 'semaphore',
  members: 4,
  start: (world) => {
    const holders = new Holders(world)
    const idle = new Idle(world, holders, () => leases)
    return {
      play: async (member) => {
        await member.attempt('resize', () => resizeSemaphore(member.session, { path, leases }, member))
        await contend(member, holders)
      },
      check: () => {
        holders.check()
        idle.check()
        const held = holders.held()
        if (held.length > leases) throw new Error(`${held.map(({ member }) => member.name).join(', ')} hold`)
      },
      end: (outside) => nothingIsLeft(outside, path),
    }
  },
}

/** The same while an operator changes the number all the time: a lease that is added is used, too. */
export const resizedSemaphoreStory: Story = {
  recipe: 'semaphore, resized',
  members: 4,
  start: (world) => {
    const holders = new Holders(world)
    const numbers = new Numbers()
    const idle = new Idle(world, holders, () => numbers.least)
    const resize = async (member: Member): Promise<void> => {
      while (!member.over()) {
        const number = leases + Math.floor(member.random.float() * (leasesMax + 1 - leases))
        await numbers.change(number, () => resizeSemaphore(member.session, { path, leases: number }, member), member)
        await member.sleep(member.random.float() * 20_000)
      }
    }
    return {
      play: async (member) => {
        await Promise.all([contend(member, holders), resize(member)])
      },
      check: () => {
        holders.check()
        idle.check()
        const held = holders.held()
        if (held.length > leasesMax) throw new Error(`${held.map(({ member }) => member.name).join(', ')} hold`)
      },
      end: (outside) => nothingIsLeft(outside, path),
    }
  },
}

/** What the number may be at this instant: the last one, and all that are being written or may have been. */
class Numbers {
  #possible: number[] = [0]
  #changing = 0
  #begun = 0

  get least(): number {
    return Math.min(...this.#possible)
  }

  async change(number: number, change: () => Promise<void>, member: Member): Promise<void> {
    this.#possible.push(number)
    this.#begun += 1
    const order = this.#begun
    const isAlone = this.#changing === 0
    this.#changing += 1
    const isCertain = await member.attempt('resize', () => change().then(() => true))
    if (isCertain === true && isAlone && order === this.#begun) this.#possible = [number]
    if (isCertain === true) this.#changing -= 1
    member.note(`resized to ${number}`)
  }
}

async function contend(member: Member, holders: Holders): Promise<void> {
  const shared = semaphore(member.session, { path, id: member.name })
  while (!member.over()) {
    const hold = await acquire(member, holders, shared)
    if (hold === undefined) {
      await member.sleep(member.random.float() * 1_500)
      continue
    }
    member.note(`holds, ${hold.token}`)
    const forget = holders.add(member, hold)
    await member.sleep(member.random.float() < 0.25 ? longMs : member.random.float() * 1_500)
    await member.attempt('release', () => hold.release())
    forget()
  }
}

/** Sees that leases are used: a lease no one holds for long, while someone waits and all is well for longer, is lost. */
class Idle {
  readonly #world: StoryWorld
  readonly #holders: Holders
  readonly #leases: () => number
  #well = ''
  #wellSinceMs = 0
  #idleSinceMs: number | undefined

  constructor(world: StoryWorld, holders: Holders, leasesNow: () => number) {
    this.#world = world
    this.#holders = holders
    this.#leases = leasesNow
  }

  check(): void {
    const now = this.#world.nowMs()
    const members = this.#world.members()
    const well = members.map(({ name, session }) => `${name} ${session.generation}`).join(', ')
    const someoneIsNot = members.some(({ awake, session }) => !awake || session.state !== 'connected')
    if (someoneIsNot || well !== this.#well) this.#wellSinceMs = now
    this.#well = well
    const isIdle = this.#holders.held().length < this.#leases() && this.#holders.waiting > 0
    this.#idleSinceMs = isIdle ? (this.#idleSinceMs ?? now) : undefined
    const idleMs = now - (this.#idleSinceMs ?? now)
    if (idleMs > idleMsMax && now - this.#wellSinceMs > 2 * this.#world.sessionTimeoutMs)
      throw new Error(`a lease is idle for ${Math.round(idleMs)} ms, and someone waits`)
  }
}

function acquire(member: Member, holders: Holders, shared: Semaphore): Promise<Hold | undefined> {
  const { signal } = member
  const dice = member.random.float()
  if (dice < 0.1) return member.attempt('try', () => shared.tryAcquire({ signal }))
  if (dice < 0.3)
    return member.attempt('acquire', () => shared.acquire({ signal, timeoutMs: member.random.float() * 4_000 }))
  return holders.turn(member, 'acquire', () => shared.acquire({ signal }))
}
