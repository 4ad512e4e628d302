import { doubleBarrier, type Round } from '@catchment/coordination/recipes'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

const path = '/barriers/rounds'
const size = 3

interface Part {
  readonly round: Round
  readonly member: Member
  leavingSinceMs: number | undefined
}

/**
 * Of a round, no one has left before all who leave it well began to; at most `size` are in it; rounds do not
 * overlap; with all calm again rounds go on. In the end no one hangs and no node is left.
 */
export const doubleBarrierStory: Story = {
  recipe: 'double barrier',
  members: 4,
  start: (world) => {
    const parts = new Map<number, Set<Part>>()
    const firstLeftMs = new Map<number, number>()
    let openedMs = 0
    let overMs: number | undefined
    let wrong: string | undefined
    /** Enters, at least until everyone could have come. */
    const enter = async (member: Member): Promise<Part | undefined> => {
      const timeoutMs = member.random.float() < 0.15 ? member.random.float() * 2_000 : 40_000
      const barrier = doubleBarrier(member.session, { path, id: member.name, size })
      const round = await member.attempt('enter', () => barrier.enter({ timeoutMs }))
      if (round === undefined) return undefined
      const part: Part = { round, member, leavingSinceMs: undefined }
      const those = parts.get(round.number) ?? new Set()
      parts.set(round.number, those.add(part))
      parts.delete(round.number - 5) // over long ago
      if (those.size === 1) openedMs = world.nowMs()
      member.note(`in round ${round.number}`)
      if (those.size > size) wrong = `${those.size} are in round ${round.number}`
      return part
    }
    const leave = async (part: Part): Promise<void> => {
      const { member, round } = part
      part.leavingSinceMs = world.nowMs()
      const left = await member.attempt('leave', async () => {
        await round.leave(member.random.float() < 0.2 ? { timeoutMs: member.random.float() * 1_000 } : {})
        return true
      })
      if (left !== true) return
      member.note(`left round ${round.number}`)
      const firstMs = firstLeftMs.get(round.number) ?? world.nowMs()
      firstLeftMs.set(round.number, firstMs)
      if (firstMs < part.leavingSinceMs)
        wrong = `${member.name} has left round ${round.number}, another had before it began to`
      for (const other of parts.get(round.number) ?? [])
        if (isIn(other)) wrong = `${member.name} has left round ${round.number}, ${other.member.name} is in`
    }
    return {
      play: async (member) => {
        while (!member.signal.aborted) {
          const part = await enter(member)
          if (part === undefined) continue
          await member.sleep(member.random.float() * 3_000)
          await leave(part)
        }
      },
      check: () => {
        if (world.members().some(({ signal }) => signal.aborted)) overMs ??= world.nowMs()
        if (wrong !== undefined) throw new Error(wrong)
        const inside = new Set([...parts].filter(([, those]) => [...those].some(isIn)).map(([number]) => number))
        if (inside.size > 1) throw new Error(`rounds ${[...inside].join(' and ')} are on at once`)
      },
      end: async (outside) => {
        if ((overMs ?? 0) - openedMs > 12_000) throw new Error('no round was opened when all was calm')
        const { names } = await outside.children(path)
        if (names.length > 0) throw new Error(`left behind: ${names.join(', ')}`)
      },
    }
  },
}

/** Whether a member is in its round for certain: it can act, its session stands, and it has not begun to leave. */
function isIn({ member, round, leavingSinceMs }: Part): boolean {
  const { awake, deposed, session } = member
  return leavingSinceMs === undefined && awake && !deposed && session.state === 'connected' && !round.signal.aborted
}
