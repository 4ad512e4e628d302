import { configuration, ZooKeeperError, type Configuration } from '@catchment/coordination'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

/**
 * Versions have no gaps, and each is what one publication published: an acknowledged one at its version, one that was refused
 * nowhere, none twice. Followers see versions grow, and in each what the history has there.
 */
export const configurationStory: Story = {
  recipe: 'configuration',
  members: 3,
  start: (world) => {
    const acknowledged = new Map<number, string>()
    const refused = new Set<string>()
    const seen = new Map<number, string>()

    const open = (member: Member): Configuration<string> =>
      configuration(member.session, { path: '/configuration', parse: String, id: member.name, historyMax: 10_000 })

    async function publish(member: Member, config: Configuration<string>, value: string): Promise<void> {
      const version = member.random.float() < 0.5 ? (await config.get({ timeoutMs: 10_000 }))?.version : undefined
      const expected = version === undefined ? {} : { expectedVersion: version }
      const timeoutMs = member.random.float() < 0.3 ? 2_000 : 60_000
      try {
        const published = await config.publish(value, { ...expected, timeoutMs })
        const other = acknowledged.get(published)
        if (other !== undefined) throw new Error(`${value} and ${other} are both version ${published}`)
        if (version !== undefined && published !== version + 1)
          throw new Error(`${value} is version ${published}, expected after ${version}`)
        acknowledged.set(published, value)
      } catch (thrown) {
        if (!(thrown instanceof ZooKeeperError)) throw thrown
        member.note(`publish ${value}: ${thrown.code}, ${thrown.outcome}`)
        if (thrown.outcome === 'not-done') refused.add(value)
      }
    }

    return {
      play: async (member) => {
        const config = open(member)
        let last = 0
        const followed = config.follow({
          onValue: (value = '', version) => {
            if (version < last) throw new Error(`${member.name} saw version ${version} after ${last}`)
            const other = seen.get(version) ?? value
            if (other !== value) throw new Error(`version ${version} is ${value} and ${other}`)
            last = version
            if (version > 0) seen.set(version, value)
          },
        })
        for (let count = 1; !member.over(); count += 1) {
          await member.attempt('publish', () => publish(member, config, `${member.name}-${count}`))
          await member.sleep(member.random.float() * 2_000)
        }
        await followed.close()
      },
      check: () => undefined,
      end: async (outside) => {
        const config = configuration(outside, { path: '/configuration', parse: String, id: 'end', historyMax: 10_000 })
        const history = (await config.history()).toReversed()
        const values = history.map((published) => String(published.json()))
        history.forEach(({ version }, index) => {
          if (version !== index + 1) throw new Error(`version ${version} stands at ${index + 1}`)
        })
        if (new Set(values).size < values.length) throw new Error(`published twice: ${values.join(' ')}`)
        for (const [version, value] of [...acknowledged, ...seen])
          if (values[version - 1] !== value)
            throw new Error(`version ${version} is ${values[version - 1] ?? 'absent'}, not ${value}`)
        for (const value of values) if (refused.has(value)) throw new Error(`${value} was refused and published`)
        world.note(`${values.length} versions, ${acknowledged.size} acknowledged`)
      },
    }
  },
}
