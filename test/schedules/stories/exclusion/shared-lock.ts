import type { Hold } from '@catchment/coordination'
import { sharedLock, type SharedLock, type SharedLockSide } from '@catchment/coordination/recipes'
import { FencedResource, Holders, nothingIsLeft } from './holders.ts'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

const path = '/locks/shared'
const tasks = 2

/**
 * While one writes no one else holds; who writes is never refused by what it writes to; everyone gets its turn, also those
 * who write while others read on; no node is left. Each member does two things at a time.
 */
export const sharedLockStory: Story = {
  recipe: 'shared lock',
  members: 3,
  start: (world) => {
    const holders = new Holders(world)
    const resource = new FencedResource()
    const writing = new Set<Hold>()
    const visit = async (member: Member, hold: Hold): Promise<void> => {
      for (let round = 0; round < 2 && !hold.signal.aborted; round += 1) {
        await member.sleep(member.random.float() * 1_200)
        if (writing.has(hold) && hold.held && !resource.write(hold.token) && !member.deposed)
          holders.wrong(`${member.name} writes and is refused`)
      }
    }
    const contend = async (member: Member, lock: SharedLock): Promise<void> => {
      while (!member.over()) {
        const mode = member.random.float() < 0.7 ? 'read' : 'write'
        const hold = await acquire(member, holders, lock[mode])
        if (hold === undefined) {
          await member.sleep(member.random.float() * 1_500)
          continue
        }
        member.note(`${mode}s, ${hold.token}`)
        if (mode === 'write') writing.add(hold)
        const forget = holders.add(member, hold)
        await visit(member, hold)
        await member.attempt('release', () => hold.release())
        forget()
        writing.delete(hold)
      }
    }
    return {
      play: async (member) => {
        const lock = sharedLock(member.session, { path, id: member.name })
        await Promise.all(Array.from({ length: tasks }, () => contend(member, lock)))
      },
      check: () => {
        holders.check()
        const held = holders.held()
        if (held.length < 2 || !held.some(({ hold }) => writing.has(hold))) return
        throw new Error(`one of ${held.map(({ member }) => member.name).join(', ')} writes, and all hold`)
      },
      end: (outside) => nothingIsLeft(outside, path),
    }
  },
}

function acquire(member: Member, holders: Holders, side: SharedLockSide): Promise<Hold | undefined> {
  const { signal } = member
  const dice = member.random.float()
  if (dice < 0.1) return member.attempt('try', () => side.tryAcquire({ signal }))
  if (dice < 0.3)
    return member.attempt('acquire', () => side.acquire({ signal, timeoutMs: member.random.float() * 3_000 }))
  return holders.turn(member, 'acquire', () => side.acquire({ signal }))
}
