import { every, joinPeriodicTask, type Operation, type ZooKeeperSession } from '@catchment/coordination'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'

const path = '/tasks/report'
const jobs = '/jobs'
const intervalMs = 1_000
const catchUpMax = 1_000
/** Of the clocks of members, with what the story rounds. */
const skewMsMax = 30
const slotsMin = 20

/**
 * The job of every slot is enqueued once, in the order of the slots, none early; of one slot there are never two runs that
 * can act at an instant; none is begun by one who leaves; and slots go on to the end, through joins and leaves.
 */
export const periodicTask: Story = {
  recipe: 'periodic task',
  members: 3,
  horizonMs: 30_000,
  start: (world) => {
    const acting = new Map<{ readonly held: boolean; readonly scheduledMs: number }, Member>()
    let first: number | undefined
    let begunLate: string | undefined
    return {
      play: async (member) => {
        const { session } = member
        await member.attempt('make the queue', () => session.ensurePath(jobs))
        while (!member.over()) {
          let left = false
          const task = joinPeriodicTask(session, {
            path,
            id: member.name,
            schedule: every(intervalMs),
            catchUpMax,
            run: async (slot) => {
              if (left) begunLate = `${member.name} runs ${slot.scheduledMs} after it was asked to leave`
              acting.set(slot, member)
              member.note(`runs ${slot.scheduledMs}`)
              first ??= slot.scheduledMs
              const work = member.random.float()
              if (work < 0.5) await member.sleep(member.random.float() * 2_500)
              acting.delete(slot)
              if (work > 0.95 && !member.over()) throw new Error('a bug of the task')
              return [job(slot.scheduledMs, member)]
            },
          })
          await member.sleep(8_000 + member.random.float() * 20_000)
          if (!member.over() && member.random.float() < 0.3) world.join()
          left = true
          const limits = member.random.float() < 0.5 ? { timeoutMs: 500 } : {}
          await member.attempt('leave', () => task.leave(limits))
          member.note('left')
          await member.sleep(member.random.float() * 2_000)
        }
      },
      check: () => {
        if (begunLate !== undefined) throw new Error(begunLate)
        const held = [...acting].filter(([slot, member]) => member.awake && !member.deposed && slot.held)
        if (held.length > 1)
          throw new Error(held.map(([{ scheduledMs }, { name }]) => `${name} runs ${scheduledMs}`).join(', '))
      },
      end: async (outside) => {
        await demandOrder(outside, first)
        const left = (await outside.children(path)).names
        if (left.length > 0) throw new Error(`claims left behind: ${left.join(', ')}`)
      },
    }
  },
}

const growsMs = 10_000
const shrinksMs = 22_000

/** Three members, then six, then three: no slot missed, none doubled. */
export const periodicTaskResized: Story = {
  recipe: 'periodic task, 3 to 6 to 3',
  members: 3,
  horizonMs: 30_000,
  start: (world) => {
    let first: number | undefined
    let grown = false
    return {
      play: async (member) => {
        await member.attempt('make the queue', () => member.session.ensurePath(jobs))
        const staysMs = grown && world.nowMs() < shrinksMs ? shrinksMs - world.nowMs() : Infinity
        const task = joinPeriodicTask(member.session, {
          path,
          id: member.name,
          schedule: every(intervalMs),
          catchUpMax,
          run: async ({ scheduledMs }) => {
            first ??= scheduledMs
            await member.sleep(member.random.float() * 600)
            return [job(scheduledMs, member)]
          },
        })
        await member.sleep(staysMs)
        await task.leave()
        member.note('left')
      },
      check: () => {
        if (grown || world.nowMs() < growsMs) return
        grown = true
        for (let count = 0; count < 3; count += 1) world.join()
      },
      end: (outside) => demandOrder(outside, first),
    }
  },
}

/** A job for each slot from the first that was run, none twice, none early, in order. */
async function demandOrder(outside: ZooKeeperSession, first: number | undefined): Promise<void> {
  const slots = (await outside.children(jobs)).names.map(Number).sort((one, other) => one - other)
  if (slots.length < slotsMin) throw new Error(`no more than ${slots.length} slots were done`)
  let before = { slot: (first ?? 0) - intervalMs, zxid: '' }
  for (const slot of slots) {
    const { stat } = await outside.get(`${jobs}/${slot}`)
    if (slot !== before.slot + intervalMs) throw new Error(`after slot ${before.slot} comes ${slot}`)
    if (stat.version !== 0) throw new Error(`slot ${slot} was done ${stat.version + 1} times`)
    if (stat.ctimeMs < slot - skewMsMax) throw new Error(`slot ${slot} was done ${slot - stat.ctimeMs} ms early`)
    if (stat.czxid <= before.zxid) throw new Error(`slot ${slot} was done before slot ${before.slot}`)
    before = { slot, zxid: stat.czxid }
  }
}

function job(slotMs: number, member: Member): Operation {
  return { op: 'create', path: `${jobs}/${slotMs}`, data: Buffer.from(member.name), mode: 'persistent' }
}
