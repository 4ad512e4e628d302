import { every, joinPeriodicTask, type Operation } from '@catchment/coordination'
import { untoldFaults } from './faults.ts'
import type { Member } from './member.ts'
import type { Story } from './story.ts'

const path = '/tasks/report'
const jobs = '/jobs'
const intervalMs = 1_000
const catchUpMax = 1_000

/**
 * The job of every slot is enqueued once, in the order of the slots, none early; of one slot there are never two runs that
 * can act at an instant; and slots go on to the end, through joins and leaves.
 */
export const periodicTask: Story = {
  recipe: 'periodic task',
  members: 3,
  horizonMs: 30_000,
  faults: untoldFaults,
  start: (world) => {
    const acting = new Map<{ readonly held: boolean; readonly scheduledMs: number }, Member>()
    let first: number | undefined
    return {
      play: async (member) => {
        const { session } = member
        await member.attempt('make the queue', () => session.ensurePath(jobs))
        while (!member.over()) {
          const task = joinPeriodicTask(session, {
            path,
            id: member.name,
            schedule: every(intervalMs),
            catchUpMax,
            run: async (slot) => {
              acting.set(slot, member)
              member.note(`runs ${slot.scheduledMs}`)
              first ??= slot.scheduledMs
              const work = member.random.float()
              if (work < 0.3) await member.sleep(member.random.float() * 1_500)
              acting.delete(slot)
              if (work > 0.95 && !member.over()) throw new Error('a bug of the task')
              return [job(slot.scheduledMs, member)]
            },
          })
          await member.sleep(8_000 + member.random.float() * 20_000)
          if (!member.over() && member.random.float() < 0.3) world.join()
          await task.leave(member.random.float() < 0.5 ? { timeoutMs: 500 } : {})
          member.note('left')
          await member.sleep(member.random.float() * 2_000)
        }
      },
      check: () => {
        const held = [...acting].filter(([slot, member]) => member.awake && slot.held)
        if (held.length > 1)
          throw new Error(`${held.map(([{ scheduledMs }, { name }]) => `${name} runs ${scheduledMs}`).join(', ')}`)
      },
      end: async (outside) => {
        const { names } = await outside.children(jobs)
        const slots = names.map(Number).sort((one, other) => one - other)
        const [from = 0, to = 0] = [slots[0], slots.at(-1)]
        if (from !== first) throw new Error(`the first slot was ${String(first)}, the first job is of ${from}`)
        for (let slot = from; slot <= to; slot += intervalMs)
          if (!names.includes(String(slot))) throw new Error(`slot ${slot} was missed`)
        const order: { slot: number; zxid: string; atMs: number }[] = []
        for (const slot of slots) {
          const { stat } = await outside.get(`${jobs}/${slot}`)
          if (stat.version !== 0) throw new Error(`slot ${slot} was done ${stat.version + 1} times`)
          order.push({ slot, zxid: stat.czxid, atMs: stat.ctimeMs })
        }
        for (const [at, { slot, zxid, atMs }] of order.entries()) {
          if (atMs < slot - 30) throw new Error(`slot ${slot} was done ${slot - atMs} ms early`)
          if (zxid <= (order[at - 1]?.zxid ?? '')) throw new Error(`slot ${slot} was done before the one before it`)
        }
        const left = (await outside.children(path)).names
        if (left.length > 0) throw new Error(`claims left behind: ${left.join(', ')}`)
        const calmFromMs = world.nowMs()
        if (order.length < 20) throw new Error(`${order.length} slots in ${calmFromMs} ms`)
      },
    }
  },
}

function job(slotMs: number, member: Member): Operation {
  return { op: 'create', path: `${jobs}/${slotMs}`, data: Buffer.from(member.name), mode: 'persistent' }
}
