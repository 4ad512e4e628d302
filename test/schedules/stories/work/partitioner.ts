import { joinPartitioner, type OwnedItem, type Partitioner } from '@catchment/coordination/recipes'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

const path = '/division'
const horizonMs = 30_000
const items = Array.from({ length: 24 }, (_, at) => `item/${at}`)

/**
 * No two members that can act hold an item at one instant, and its tokens grow from owner to owner; an item is not given up
 * before onRelease has settled; when members stay the same each item has its owner, none more than its share; nothing is
 * left behind.
 */
export const partitioner: Story = {
  recipe: 'partitioner',
  members: 3,
  horizonMs,
  start: (world) => {
    const joined = new Map<Member, Partitioner>()
    const greatest = new Map<string, bigint>()
    const owners = new Map<string, Member>()
    let wrong: string | undefined
    let calm: string | undefined
    const acquired = (member: Member, owned: readonly OwnedItem[]): void => {
      if (member.deposed) return
      for (const { item, token, held } of owned) {
        if (held && token <= (greatest.get(item) ?? 0n)) wrong = `${member.name} holds ${item} by an old token`
        if (held) greatest.set(item, token)
      }
    }
    return {
      play: async (member) => {
        const { random } = member
        while (!member.over()) {
          const division = await member.attempt('join', () =>
            joinPartitioner(member.session, {
              path,
              id: member.name,
              items,
              weight: 1 + (Number(member.name.slice(1)) % 2),
              releaseTimeoutMs: 2_000,
              onAcquired: (owned) => {
                member.note(`acquired ${owned.length}`)
                acquired(member, owned)
              },
              onRelease: async (owned) => {
                member.note(`releases ${owned.length}`)
                const before = member.session.generation
                await member.sleep(random.float() * 1_000)
                const early = owned.filter(({ signal }) => signal.aborted)
                if (early.length > 0 && member.session.generation === before && member.session.state === 'connected')
                  member.note(`gave up ${early.length} before it was released`)
              },
              onLost: (owned) => {
                member.note(`lost ${owned.length}`)
              },
            }),
          )
          if (division === undefined) {
            await member.sleep(500)
            continue
          }
          joined.set(member, division)
          const staysMs = 5_000 + random.float() * 30_000
          await member.sleep(world.nowMs() + staysMs < horizonMs ? staysMs : Infinity)
          if (member.over()) calm ??= unowned(world.members(), joined)
          if (!member.over() && random.float() < 0.3) world.join()
          await division.leave()
          joined.delete(member)
          member.note('left')
          await member.sleep(random.float() * 2_000)
        }
      },
      check: () => {
        if (wrong !== undefined) throw new Error(wrong)
        owners.clear()
        for (const [member, division] of joined) {
          if (!member.awake || member.deposed) continue
          for (const { item } of division.owned()) {
            const other = owners.get(item)
            if (other !== undefined) throw new Error(`${other.name} and ${member.name} hold ${item}`)
            owners.set(item, member)
          }
        }
      },
      end: async (outside) => {
        if (calm !== undefined && calm !== '') throw new Error(`when all was calm: ${calm}`)
        for (const part of ['members', 'items']) {
          const { names } = await outside.children(`${path}/${part}`)
          if (names.length > 0) throw new Error(`${part} left behind: ${names.join(', ')}`)
        }
      },
    }
  },
}

/** What is wrong with the division now that it has had time to settle; empty if nothing. */
function unowned(members: readonly Member[], joined: ReadonlyMap<Member, Partitioner>): string {
  const parts = members.flatMap((member) => joined.get(member)?.owned() ?? [])
  const without = items.filter((item) => !parts.some((owned) => owned.item === item))
  if (without.length > 0) return `no one holds ${without.length} items: ${without.slice(0, 5).join(', ')}`
  const total = members.reduce((sum, { name }) => sum + weightOf(name), 0)
  for (const member of members) {
    const owned = joined.get(member)?.owned().length ?? 0
    const share = (items.length * weightOf(member.name)) / total
    if (owned > Math.ceil(share * 1.05)) return `${member.name} holds ${owned}, its share is ${share}`
  }
  return ''
}

function weightOf(name: string): number {
  return 1 + (Number(name.slice(1)) % 2)
}
