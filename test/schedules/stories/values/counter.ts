import { ZooKeeperError } from '@catchment/coordination'
import { sequentialIds, sharedCounter } from '@catchment/coordination/recipes'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

/**
 * The counter is the sum of what was acknowledged, and at most of what no one can know; each addition has a version of its
 * own. Ids are unique, and one asked for after another was given sorts after it.
 */
export const counterStory: Story = {
  recipe: 'counter',
  members: 3,
  start: (world) => {
    const path = '/counter'
    const acknowledged = new Map<number, string>()
    let underWay = 0
    let unknown = 0
    const given = new Set<string>()
    let last = ''

    async function add(member: Member): Promise<void> {
      const counter = sharedCounter(member.session, { path })
      const timeoutMs = member.random.float() < 0.3 ? 2_000 : 60_000
      underWay += 1
      try {
        const { value, version } = await counter.add(1n, { timeoutMs })
        if (value !== BigInt(version)) throw new Error(`version ${version} has the value ${value}`)
        const other = acknowledged.get(version)
        if (other !== undefined) throw new Error(`${member.name} and ${other} added version ${version}`)
        acknowledged.set(version, member.name)
      } catch (thrown) {
        if (!(thrown instanceof ZooKeeperError)) throw thrown
        member.note(`add: ${thrown.code}, ${thrown.outcome}`)
        if (thrown.outcome === 'unknown') unknown += 1
      }
      underWay -= 1
    }

    async function name(member: Member): Promise<void> {
      const before = last
      const id = await member.attempt('next id', () =>
        sequentialIds(member.session, { path: '/ids', prefix: 'id-' }).next({ timeoutMs: 60_000 }),
      )
      if (id === undefined) return
      if (given.has(id)) throw new Error(`${id} was given twice`)
      if (id <= before) throw new Error(`${id} was given after ${before}`)
      given.add(id)
      if (id > last) last = id
    }

    return {
      play: async (member) => {
        while (!member.over()) {
          await Promise.all([add(member), name(member)])
          await member.sleep(member.random.float() * 1_000)
        }
      },
      check: () => undefined,
      end: async (outside) => {
        const { value } = await sharedCounter(outside, { path }).get()
        const sum = BigInt(acknowledged.size)
        const most = sum + BigInt(unknown + underWay)
        if (value < sum || value > most) throw new Error(`the counter is ${value}, neither ${sum} nor up to ${most}`)
        world.note(`${value}: ${sum} acknowledged, ${unknown} unknown, ${underWay} under way at a death`)
      },
    }
  },
}
