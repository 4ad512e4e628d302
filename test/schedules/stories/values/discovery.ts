import {
  announceService,
  followService,
  resolveService,
  type Endpoint,
  type FollowedService,
} from '@catchment/coordination'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

/** A follower that is cut off forgets no one; when all is calm, everyone sees exactly those that live, as they are now. */
export const discoveryStory: Story = {
  recipe: 'discovery',
  members: 3,
  start: (world) => {
    const where = { path: '/services', name: 'search' }
    const follows = new Map<Member, { followed: FollowedService; cut: readonly Endpoint[] | undefined }>()
    const current = new Map<Member, string>()
    const show = (endpoints: readonly Endpoint[]): string =>
      endpoints.map(({ id, data }) => `${id}=${data.toString()}`).join(' ')

    const ready = gathering(() => world.members().length)
    const looked = gathering(() => world.members().length)

    return {
      play: async (member) => {
        const followed = followService(member.session, {
          ...where,
          onEndpoints: (found) => {
            member.note(show(found))
          },
        })
        const follow: { followed: FollowedService; cut: readonly Endpoint[] | undefined } = { followed, cut: undefined }
        follows.set(member, follow)
        member.session.onState((state) => {
          if (state === 'suspended') follow.cut = followed.endpoints
          else if (state === 'connected') follow.cut = undefined
        })
        const announced = await announceService(member.session, {
          ...where,
          id: member.name,
          endpoint: Buffer.from('0'),
        })
        for (let count = 1; !member.over(); count += 1) {
          await member.attempt('update', () => announced.update(Buffer.from(String(count))))
          current.set(member, String(count))
          await member.sleep(2_000 + member.random.float() * 10_000)
        }
        await ready(member)
        const living = world.members().map((one) => ({ id: one.name, data: Buffer.from(current.get(one) ?? '0') }))
        const expected = show(living.sort((one, other) => (one.id < other.id ? -1 : 1)))
        for (const found of [await followed.refresh(), await resolveService(member.session, where)])
          if (show(found) !== expected) throw new Error(`${member.name} sees ${show(found)}, not ${expected}`)
        await looked(member)
        follows.delete(member)
        await followed.close()
      },
      check: () => {
        for (const [member, { followed, cut }] of follows)
          if (cut !== undefined && member.session.state !== 'connected' && followed.endpoints !== cut)
            throw new Error(`${member.name} is cut off and sees ${show(followed.endpoints ?? [])}, not ${show(cut)}`)
      },
      end: async (outside) => {
        const left = await resolveService(outside, where)
        if (left.length > 0) throw new Error(`left behind: ${show(left)}`)
      },
    }
  },
}

/** Resolves for each that comes when as many have come as there are. That all is over wakes the dead too: they do not count. */
function gathering(expected: () => number): (member: Member) => Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  let come = 0
  return (member) => {
    if (member.awake) come += 1
    if (come >= expected()) resolve(undefined)
    return promise
  }
}
