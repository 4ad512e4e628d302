import { joinElection } from '@catchment/coordination'
import type { Member } from './member.ts'
import type { Story } from './story.ts'

/** Two members that can act never lead at the same instant, and somebody leads in the end. */
export const election: Story = {
  recipe: 'election',
  members: 3,
  start: (world) => {
    const leaders = new Map<Member, { readonly leading: boolean }>()
    const leading = (): Member[] =>
      [...leaders].filter(([member, { leading }]) => member.awake && leading).map(([m]) => m)
    const calm = { led: false }
    return {
      play: async (member) => {
        while (!member.over()) {
          const election = joinElection(member.session, {
            path: '/election',
            id: member.name,
            onElected: () => {
              member.note('elected')
            },
            onDeposed: () => {
              member.note('deposed')
            },
          })
          leaders.set(member, election)
          await member.sleep(5_000 + member.random.float() * 30_000)
          if (member.over() && leading().length === 1) calm.led = true
          await member.attempt('resign', () => election.resign())
        }
      },
      check: () => {
        const names = leading().map(({ name }) => name)
        if (names.length > 1) throw new Error(`${names.join(' and ')} lead`)
      },
      end: async (outside) => {
        if (!calm.led) throw new Error('nobody led when all was calm')
        const { names } = await outside.children('/election')
        if (names.length > 0) throw new Error(`candidates left behind: ${names.join(', ')}`)
        world.note('ended')
      },
    }
  },
}
