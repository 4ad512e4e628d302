import { ZooKeeperError } from '@catchment/coordination'
import { joinHotStandby, type Active } from '@catchment/coordination/recipes'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

const path = '/services/hot'
/** Faults are over and healed: no one leaves or fails any more. */
const calmMs = 46_000

/** The context of this service: how often it has acted. */
class Acts {
  readonly #running = new Map<Member, { readonly active: Active; readonly generation: number }>()
  #lastToken = 0n
  #saved = 0
  #tried = 0
  wrong: string | undefined

  running(): readonly [Member, Active][] {
    return [...this.#running]
      .map(([member, { active }]): [Member, Active] => [member, active])
      .filter(([member, { held }]) => member.awake && !member.deposed && held)
  }

  /** A member whose session is over has been notified of it. */
  check(): void {
    if (this.wrong !== undefined) throw new Error(this.wrong)
    for (const [{ name, session }, { active, generation }] of this.#running)
      if (session.generation !== generation && !active.signal.aborted)
        throw new Error(`${name} was not notified of its end`)
  }

  /** What it goes on from: nothing that was saved is lost, nothing comes from nowhere. */
  start(member: Member, active: Active): number {
    const { context, token } = active
    const from = Number(context?.toString() ?? '0')
    member.note(`runs from ${from}, ${token}`)
    if (this.#running.has(member)) this.wrong ??= `${member.name} runs twice`
    if (!member.deposed) this.#startNext(member, active, from)
    this.#running.set(member, { active, generation: member.session.generation })
    return from
  }

  #startNext({ name }: Member, { token }: Active, from: number): void {
    if (from < this.#saved || from > this.#tried)
      this.wrong ??= `${name} runs from ${from}, saved was ${this.#saved}, tried ${this.#tried}`
    if (token <= this.#lastToken) this.wrong ??= `${name} runs with token ${token} after ${this.#lastToken}`
    this.#lastToken = token
  }

  async save(active: Active, acts: number): Promise<void> {
    this.#tried = Math.max(this.#tried, acts)
    await active.save(Buffer.from(String(acts)))
    if (active.token < this.#lastToken) return // its answer came late: what the next one read says whether it was in time
    this.#saved = Math.max(this.#saved, acts)
  }

  end(member: Member): void {
    this.#running.delete(member)
  }
}

/**
 * Two that can act never run at the same instant; who runs goes on from what was saved last, and no save of a deposed
 * one is in the tree after it. In the end somebody runs, and leaving leaves nothing behind.
 */
export const hotStandbyStory: Story = {
  recipe: 'hot standby',
  members: 3,
  start: (world) => {
    const acts = new Acts()
    let over = false
    const run = async (member: Member, active: Active): Promise<void> => {
      let count = acts.start(member, active)
      try {
        while (!active.signal.aborted) {
          await member.sleep(member.random.float() * 800)
          if (member.over()) over ||= look()
          count += 1
          await acts.save(active, count)
          const dice = member.random.float()
          if (world.nowMs() > calmMs) continue
          if (dice < 0.05) throw new Error('the service fails')
          if (dice < 0.1) return
        }
      } catch (thrown) {
        if (!(thrown instanceof ZooKeeperError)) throw thrown
        member.note(`save: ${thrown.code}, ${thrown.outcome}`)
        if (thrown.code === 'bad-version') acts.wrong ??= `${member.name} runs and did not know what it has saved`
        await member.sleep(member.random.float() * 300)
      } finally {
        acts.end(member)
      }
    }
    const look = (): true => {
      if (acts.running().length !== 1) acts.wrong ??= `${acts.running().length} run when all is calm`
      return true
    }
    return {
      play: async (member) => {
        while (!member.over()) {
          const standby = joinHotStandby(member.session, {
            path,
            id: member.name,
            run: (active) => run(member, active),
            onState: (state) => {
              member.note(state)
            },
          })
          const untilMs = world.nowMs() + 4_000 + member.random.float() * 20_000
          while (!member.over() && (world.nowMs() < untilMs || untilMs > calmMs) && standby.state !== 'left')
            await member.sleep(200)
          if (member.over()) over ||= look()
          await member.attempt('leave', () => standby.leave())
        }
      },
      check: () => {
        acts.check()
        const names = acts.running().map(([{ name }]) => name)
        if (names.length > 1) throw new Error(`${names.join(' and ')} run`)
      },
      end: async (outside) => {
        const { names } = await outside.children(`${path}/candidates`)
        if (names.length > 0) throw new Error(`left behind: ${names.join(', ')}`)
      },
    }
  },
}
