import { exclusiveLock } from '@catchment/coordination'
import { Holders, nothingIsLeft } from './holders.ts'
import type { Story } from '../story.ts'

const path = '/locks/closed'

/** Members close their sessions while they hold, and others come: who closes holds nothing from then on, whatever it hears. */
export const closedLockStory: Story = {
  recipe: 'exclusive lock, closed',
  members: 3,
  horizonMs: 15_000,
  start: (world) => {
    const holders = new Holders(world)
    return {
      play: async (member) => {
        const lock = exclusiveLock(member.session, { path, id: member.name })
        while (!member.over()) {
          const hold = await holders.turn(member, 'acquire', () => lock.acquire({ signal: member.signal }))
          if (hold !== undefined) {
            const forget = holders.add(member, hold)
            member.note(`holds, ${hold.token}`)
            await member.sleep(member.random.float() * 4_000)
            member.note('closes')
            if (!member.over()) world.join()
            await member.session.close()
            forget()
            return
          }
          await member.sleep(member.random.float() * 1_000)
        }
      },
      check: () => {
        holders.check()
        const held = holders.held()
        if (held.length > 1) throw new Error(`${held.map(({ member }) => member.name).join(' and ')} hold`)
      },
      end: (outside) => nothingIsLeft(outside, path),
    }
  },
}
