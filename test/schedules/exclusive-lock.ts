import { exclusiveLock, type ExclusiveLock, type Hold } from '@catchment/coordination'
import { FencedResource, Holders, nothingIsLeft, untoldFaults } from './holders.ts'
import type { Member } from './member.ts'
import type { Story } from './story.ts'

const path = '/locks/exclusive'
const roundsMax = 3

/**
 * No two that can act hold at the same instant; who holds is never refused by what it writes to; everyone gets its turn; no
 * node is left.
 */
export const exclusiveLockStory: Story = {
  recipe: 'exclusive lock',
  members: 3,
  faults: untoldFaults,
  start: (world) => {
    const holders = new Holders(world)
    const resource = new FencedResource()
    const visit = async (member: Member, hold: Hold): Promise<void> => {
      for (let round = 0; round < roundsMax && !hold.signal.aborted; round += 1) {
        await member.sleep(member.random.float() * 1_500)
        if (hold.held && !resource.write(hold.token)) holders.wrong(`${member.name} holds and is refused`)
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
 * What they write to takes no write of an old one after that of a new one, and who was deposed never holds again.
 */
export const fencedLockStory: Story = {
  recipe: 'exclusive lock, fenced',
  members: 3,
  start: (world) => {
    const holders = new Holders(world)
    const resource = new FencedResource()
    const writers: bigint[] = []
    const deposed = new Map<bigint, number>()
    const visit = async (member: Member, hold: Hold, lock: ExclusiveLock): Promise<void> => {
      for (let round = 0; round < roundsMax && !hold.signal.aborted; round += 1) {
        await member.sleep(member.random.float() * 1_500)
        if (hold.held && resource.write(hold.token)) writers.push(hold.token)
        if (member.random.float() < 0.1) await depose(member, lock, deposed, () => world.nowMs())
      }
    }
    return {
      play: (member) => contend(member, holders, visit),
      check: () => {
        holders.check()
        if (writers.some((token, index) => token < (writers[index - 1] ?? 0n)))
          throw new Error('an old writer came late')
        for (const { member, hold } of holders.held())
          if (world.nowMs() - (deposed.get(hold.token) ?? Infinity) > 2 * world.sessionTimeoutMs)
            throw new Error(`${member.name} holds, deposed at ${deposed.get(hold.token) ?? ''}`)
      },
      end: (outside) => nothingIsLeft(outside, path),
    }
  },
}

/** An operator deletes the node of someone in line. */
async function depose(
  member: Member,
  lock: ExclusiveLock,
  deposed: Map<bigint, number>,
  nowMs: () => number,
): Promise<void> {
  await member.attempt('depose', async () => {
    const line = await lock.contenders()
    const victim = line[Math.floor(member.random.float() * line.length)]
    if (victim === undefined) return
    await member.session.delete(victim.node, 'any')
    member.note(`deposed ${victim.id}, ${victim.token}`)
    deposed.set(victim.token, nowMs())
  })
}

async function contend(
  member: Member,
  holders: Holders,
  visit: (member: Member, hold: Hold, lock: ExclusiveLock) => Promise<void>,
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
    await visit(member, hold, lock)
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
