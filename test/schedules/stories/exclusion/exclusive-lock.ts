import { exclusiveLock, type ExclusiveLock, type Hold } from '@catchment/coordination'
import { FencedResource, Holders, nothingIsLeft } from './holders.ts'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

const path = '/locks/exclusive'
const roundsMax = 3
/** Longer than the session timeout: who is deposed meanwhile has to hear of it. */
const longMs = 5_000
/** From then on no one is deposed or holds for long, so that everyone gets its turn. */
const calmAtMs = 35_000

/**
 * No two that can act hold at the same instant; who holds is never refused by what it writes to; everyone gets its turn; no
 * node is left.
 */
export const exclusiveLockStory: Story = {
  recipe: 'exclusive lock',
  members: 3,
  start: (world) => {
    const holders = new Holders(world)
    const resource = new FencedResource()
    const visit = async (member: Member, hold: Hold): Promise<void> => {
      for (let round = 0; round < roundsMax && !hold.signal.aborted; round += 1) {
        await member.sleep(member.random.float() * 1_500)
        if (hold.held && !resource.write(hold.token) && !member.deposed)
          holders.wrong(`${member.name} holds and is refused`)
      }
    }
    return {
      play: (member) => contend(member, holders, visit),
      check: () => {
        holders.check()
        const held = holders.held()
        if (held.length > 1) throw new Error(`${held.map(({ member }) => member.name).join(' and ')} hold`)
      },
      end: (outside) => nothingIsLeft(outside, path),
    }
  },
}

/**
 * Sessions are ended by the servers and nodes deleted by an operator, so that for a moment two may believe that they hold.
 * What they write to takes no write of an old one after that of a new one; who was deposed hears of it within its lease,
 * and who heard of it, or was cut off since, never holds again: whatever it reads of its node then was answered later.
 */
export const fencedLockStory: Story = {
  recipe: 'exclusive lock, fenced',
  members: 3,
  start: (world) => {
    const holders = new Holders(world)
    const resource = new FencedResource()
    const writers: bigint[] = []
    const deposed = new Map<bigint, Deposed>()
    const visit = async (member: Member, hold: Hold): Promise<void> => {
      if (member.random.float() < 0.1 && world.nowMs() < calmAtMs) await member.sleep(longMs)
      for (let round = 0; round < roundsMax && !hold.signal.aborted; round += 1) {
        await member.sleep(member.random.float() * 1_000)
        if (hold.held && resource.write(hold.token)) writers.push(hold.token)
      }
    }
    const operate = async (member: Member): Promise<void> => {
      while (world.nowMs() < calmAtMs) {
        await member.sleep(member.random.float() * 10_000)
        await depose(member, deposed, () => world.nowMs())
      }
    }
    return {
      play: async (member) => {
        await Promise.all([contend(member, holders, visit), operate(member)])
      },
      check: () => {
        holders.check()
        for (const { member, hold } of holders.all()) {
          const heard = deposed.get(hold.token)
          if (heard === undefined) continue
          if (hold.signal.aborted || member.session.state !== 'connected') heard.known = true
          if (hold.held && member.awake && (heard.known || world.nowMs() - heard.atMs > world.sessionTimeoutMs))
            throw new Error(`${member.name} holds, ${hold.token}, deposed at ${heard.atMs}`)
        }
      },
      end: async (outside) => {
        if (writers.some((token, index) => token < (writers[index - 1] ?? 0n)))
          throw new Error('an old writer came late')
        await nothingIsLeft(outside, path)
      },
    }
  },
}

/** When the node of somebody in line was deleted, and whether its owner has heard of it or was cut off since. */
interface Deposed {
  readonly atMs: number
  known: boolean
}

/** An operator deletes the node of someone in line. */
async function depose(member: Member, deposed: Map<bigint, Deposed>, nowMs: () => number): Promise<void> {
  await member.attempt('depose', async () => {
    const line = await exclusiveLock(member.session, { path, id: 'operator' }).contenders()
    const victim = line[Math.floor(member.random.float() * line.length)]
    if (victim === undefined) return
    await member.session.delete(victim.node, 'any')
    member.note(`deposed ${victim.id}, ${victim.token}`)
    deposed.set(victim.token, { atMs: nowMs(), known: false })
  })
}

async function contend(
  member: Member,
  holders: Holders,
  visit: (member: Member, hold: Hold) => Promise<void>,
): Promise<void> {
  const lock = exclusiveLock(member.session, { path, id: member.name })
  while (!member.over()) {
    const hold = await acquire(member, holders, lock)
    if (hold === undefined) {
      await member.sleep(member.random.float() * 1_000)
      continue
    }
    member.note(`holds, ${hold.token}`)
    const forget = holders.add(member, hold)
    await visit(member, hold)
    const released = member.attempt('release', () => hold.release({ timeoutMs: 5_000 }))
    if (hold.held) holders.wrong(`${member.name} holds what it releases`)
    if (member.random.float() < 0.7) await released
    forget()
  }
}

function acquire(member: Member, holders: Holders, lock: ExclusiveLock): Promise<Hold | undefined> {
  const { signal } = member
  const dice = member.random.float()
  if (dice < 0.2) return member.attempt('try', () => lock.tryAcquire({ signal }))
  if (dice < 0.4)
    return member.attempt('acquire', () => lock.acquire({ signal, timeoutMs: member.random.float() * 2_000 }))
  return holders.turn(member, 'acquire', () => lock.acquire({ signal }))
}
