import { barrier } from '@catchment/coordination/recipes'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

const path = '/barriers/gate'
/** Longer than any silence in which a session still counts as connected. */
const steadyMs = 4_000

interface Waiter {
  readonly member: Member
  /** Since when it waits and is connected, awake, in one session. */
  steadySinceMs: number
  generation: number
  /** The first removal that it must have noticed. */
  removedAtMs: number | undefined
}

/**
 * No one passes who began to wait while the barrier was set for certain and has not been removed since; and a removal lets
 * everyone go on who was waiting, be it set again at once.
 */
export const barrierStory: Story = {
  recipe: 'barrier',
  members: 4,
  start: (world) => {
    const waiters = new Set<Waiter>()
    let keeper: Member | undefined
    let setSinceMs: number | undefined
    let wrong: string | undefined
    const keep = async (member: Member): Promise<void> => {
      const gate = barrier(member.session, { path })
      await member.sleep(1_000) // what a keeper that died has sent has arrived
      do {
        await gate.set()
        setSinceMs = world.nowMs()
        await member.sleep(member.random.float() * 6_000)
        setSinceMs = undefined
        await gate.remove()
        member.note('removed')
        for (const waiter of waiters)
          if (world.nowMs() - waiter.steadySinceMs > steadyMs) waiter.removedAtMs ??= world.nowMs()
      } while (!member.signal.aborted && member.random.float() < 0.7)
    }
    const wait = async (member: Member): Promise<void> => {
      const beganMs = world.nowMs()
      const waiter: Waiter = { member, steadySinceMs: beganMs, generation: 0, removedAtMs: undefined }
      waiters.add(waiter)
      const timeoutMs = member.random.float() < 0.3 ? member.random.float() * 3_000 : 20_000
      const passed = await member.attempt('wait', async () => {
        await barrier(member.session, { path }).wait({ timeoutMs })
        return true
      })
      waiters.delete(waiter)
      if (passed === true && setSinceMs !== undefined && setSinceMs < beganMs)
        wrong = `${member.name} waits since ${beganMs} and has passed, the barrier is set since ${setSinceMs}`
    }
    return {
      play: async (member) => {
        while (!member.signal.aborted) {
          if (keeper === undefined || !world.members().includes(keeper)) {
            keeper = member
            setSinceMs = undefined
            await keep(member)
            keeper = undefined
          }
          await wait(member)
          await member.sleep(member.random.float() * 300)
        }
      },
      check: () => {
        if (wrong !== undefined) throw new Error(wrong)
        const now = world.nowMs()
        for (const waiter of waiters) {
          const { member, generation } = waiter
          if (!member.awake || member.session.state !== 'connected' || member.session.generation !== generation) {
            waiter.steadySinceMs = now
            waiter.generation = member.session.generation
            waiter.removedAtMs = undefined
          } else if (waiter.removedAtMs !== undefined && now - waiter.removedAtMs > steadyMs)
            throw new Error(`${member.name} still waits, the barrier was removed at ${waiter.removedAtMs}`)
        }
      },
    }
  },
}
