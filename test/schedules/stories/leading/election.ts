import { joinElection, observeLeader, type Election, type ObservedLeader } from '@catchment/coordination'
import { FencedResource } from '../exclusion/holders.ts'
import type { Member } from '../../world/member.ts'
import type { Played, Story, StoryWorld } from '../story.ts'

const path = '/election'
/** Faults are over and healed. */
const calmMs = 46_000

interface Candidate {
  readonly member: Member
  readonly election: Election
}

/** What the members believe, compared at every instant. */
class Leaders {
  readonly #candidates = new Map<Member, Candidate>()
  readonly #tokens = new Map<bigint, Member>()
  wrong: string | undefined

  leading(): Candidate[] {
    return [...this.#candidates.values()].filter(
      ({ member, election }) => member.awake && !member.deposed && election.leading,
    )
  }

  stand(member: Member): Election {
    let token: bigint | undefined
    const election = joinElection(member.session, {
      path,
      id: member.name,
      onElected: (elected) => {
        member.note(`elected, ${elected}`)
        if (token !== undefined) this.wrong ??= `${member.name} is elected twice`
        const other = this.#tokens.get(elected) ?? member
        if (other !== member) this.wrong ??= `${member.name} is elected with the token of ${other.name}`
        this.#tokens.set(elected, member)
        token = elected
      },
      onDeposed: () => {
        member.note('deposed')
        if (token === undefined || election.leading) this.wrong ??= `${member.name} is deposed, and leads or never led`
        token = undefined
      },
    })
    this.#candidates.set(member, { member, election })
    return election
  }
}

/**
 * Two members that can act never lead at the same instant, who leads is never refused by what it writes to, and somebody
 * leads in the end, as everyone who observes is reported.
 */
export const election: Story = {
  recipe: 'election',
  members: 3,
  start: (world) => {
    const leaders = new Leaders()
    const resource = new FencedResource()
    return {
      ...elections(world, leaders, (member, { token }) => {
        if (token !== undefined && !resource.write(token) && !member.deposed)
          leaders.wrong ??= `${member.name} leads and is refused`
      }),
      check: () => {
        if (leaders.wrong !== undefined) throw new Error(leaders.wrong)
        const names = leaders.leading().map(({ member }) => member.name)
        if (names.length > 1) throw new Error(`${names.join(' and ')} lead`)
      },
    }
  },
}

function elections(
  world: StoryWorld,
  leaders: Leaders,
  act: (member: Member, election: Election) => void,
): Pick<Played, 'play' | 'end'> {
  const observers = new Map<Member, ObservedLeader>()
  let over = false
  /** All stand, all is calm: one leads, and everyone is notified so. */
  const lookAtTheEnd = (): void => {
    if (over) return
    over = true
    leaders.wrong ??= wrongInCalm(leaders.leading(), observers)
  }
  return {
    play: async (member) => {
      const observed = observe(member, leaders)
      observers.set(member, observed)
      while (!member.over()) {
        const election = leaders.stand(member)
        const untilMs = world.nowMs() + 5_000 + member.random.float() * 30_000
        // Who would resign when all is calm stays until the end.
        while ((world.nowMs() < untilMs || untilMs > calmMs) && !member.over()) {
          await member.sleep(member.random.float() * 1_000)
          act(member, election)
        }
        if (member.over()) lookAtTheEnd()
        await member.attempt('resign', () => election.resign())
        await member.sleep(member.random.float() * 500)
      }
      await observed.close()
    },
    end: async (outside) => {
      const { names } = await outside.children(path)
      if (names.length > 0) throw new Error(`candidates left behind: ${names.join(', ')}`)
    },
  }
}

function wrongInCalm(leading: Candidate[], observers: ReadonlyMap<Member, ObservedLeader>): string | undefined {
  const [first] = leading
  if (first === undefined || leading.length > 1) return `${leading.length} lead when all is calm`
  const { token } = first.election
  const misled = [...observers].find(
    ([member, { leader, stale }]) => member.awake && (stale || leader?.token !== token),
  )
  return misled === undefined
    ? undefined
    : `${misled[0].name} is notified that ${misled[1].leader?.id ?? 'no one'} leads`
}

/** Every observer sees tokens that only grow. */
function observe(member: Member, leaders: Leaders): ObservedLeader {
  let last = 0n
  return observeLeader(member.session, {
    path,
    onLeader: (leader) => {
      if (leader === undefined) return
      if (leader.token <= last) leaders.wrong ??= `${member.name} is notified of ${leader.token} after ${last}`
      last = leader.token
    },
  })
}
