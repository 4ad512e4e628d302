import { resizeSemaphore, semaphore, type Hold, type Semaphore } from '@catchment/coordination'
import { untoldFaults } from './faults.ts'
import { Holders, nothingIsLeft } from './holders.ts'
import type { Member } from './member.ts'
import type { Story } from './story.ts'

const path = '/locks/semaphore'
const leases = 2
const leasesMax = 3
const tasks = 2

/**
 * Never more than the number hold at one instant, and all of the leases are used; everyone gets its turn; no node is left.
 */
export const semaphoreStory: Story = {
  recipe: 'semaphore',
  members: 3,
  faults: untoldFaults,
  start: (world) => {
    const holders = new Holders(world)
    return {
      play: (member) => contendTwice(member, holders),
      check: () => {
        holders.check()
        const held = holders.held()
        if (held.length > leases) throw new Error(`${held.map(({ member }) => member.name).join(', ')} hold`)
      },
      end: async (outside) => {
        if (holders.most < leases)
          throw new Error(`${holders.most} held at one time at most, there were ${leases} leases`)
        await nothingIsLeft(outside, path)
      },
    }
  },
}

/** The same while an operator changes the number all the time: nobody is forgotten, and no more hold than ever were allowed. */
export const resizedSemaphoreStory: Story = {
  recipe: 'semaphore, resized',
  members: 3,
  faults: untoldFaults,
  start: (world) => {
    const holders = new Holders(world)
    return {
      play: async (member) => {
        await Promise.all([contendTwice(member, holders), resize(member)])
      },
      check: () => {
        holders.check()
        const held = holders.held()
        if (held.length > leasesMax) throw new Error(`${held.map(({ member }) => member.name).join(', ')} hold`)
      },
      end: (outside) => nothingIsLeft(outside, path),
    }
  },
}

async function resize(member: Member): Promise<void> {
  for (;;) {
    await member.sleep(member.random.float() * 8_000)
    if (member.over()) return
    const number = 1 + Math.floor(member.random.float() * leasesMax)
    await member.attempt('resize', () => resizeSemaphore(member.session, { path, leases: number }, member))
    member.note(`resized to ${number}`)
  }
}

async function contendTwice(member: Member, holders: Holders): Promise<void> {
  const shared = semaphore(member.session, { path, id: member.name, ...(member.name === 'm1' && { leases }) })
  await resizeSemaphore(member.session, { path, leases }, member)
  await Promise.all(Array.from({ length: tasks }, () => contend(member, holders, shared)))
}

async function contend(member: Member, holders: Holders, shared: Semaphore): Promise<void> {
  while (!member.over()) {
    const hold = await acquire(member, holders, shared)
    if (hold === undefined) {
      await member.sleep(member.random.float() * 1_500)
      continue
    }
    member.note(`holds, ${hold.token}`)
    const forget = holders.add(member, hold)
    await member.sleep(member.random.float() * 2_000)
    await member.attempt('release', () => hold.release())
    forget()
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
