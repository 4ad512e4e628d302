import { fifoQueue, ZooKeeperError, type QueuedItem } from '@catchment/coordination'
import { sleep } from '@catchment/runtime'
import type { Member } from './member.ts'
import type { Story } from './story.ts'

/**
 * What was put is in the queue once; no two that can act hold an item at the same instant; nothing is completed twice;
 * nothing is lost: at the end every acknowledged item has been completed, or is still there.
 */
export const queueStory: Story = {
  recipe: 'queue',
  members: 3,
  start: (world) => {
    const acknowledged = new Set<string>()
    const refused = new Set<string>()
    const completed = new Map<string, number>()
    const inDoubt = new Set<string>()
    const tokens = new Map<string, bigint>()
    const hands = new Map<QueuedItem, Member>()
    const options = { path: '/queue', itemsMax: 1_000 }

    async function put(member: Member): Promise<void> {
      const here = fifoQueue(member.session, options)
      for (let count = 1; !member.over(); count += 1) {
        const item = `${member.name}-${count}`
        try {
          await here.put(Buffer.from(item), member.random.float() < 0.2 ? { timeoutMs: 1_500 } : {})
          acknowledged.add(item)
        } catch (thrown) {
          if (!(thrown instanceof ZooKeeperError)) throw thrown
          member.note(`put ${item}: ${thrown.code}, ${thrown.outcome}`)
          if (thrown.outcome === 'not-done') refused.add(item)
        }
        await member.sleep(member.random.float() * 2_500)
      }
    }

    function taken(item: QueuedItem, member: Member): void {
      const name = item.data.toString()
      member.note(`took ${name} ${item.token}`)
      if (!item.held || member.deposed) return // lost again before its taker heard of it
      if (completed.has(name)) throw new Error(`${name} was taken after it had been completed`)
      if (refused.has(name)) throw new Error(`${name} was refused and put`)
      const before = tokens.get(name)
      if (before !== undefined && before >= item.token) throw new Error(`${name}: token ${item.token} after ${before}`)
      tokens.set(name, item.token)
    }

    async function take(member: Member): Promise<void> {
      const here = fifoQueue(member.session, { ...options, id: member.name })
      while (!member.over()) {
        const item = await member.attempt('take', () => here.takeLocked({ timeoutMs: 5_000, signal: member.signal }))
        if (item === undefined) continue
        hands.set(item, member)
        taken(item, member)
        await member.sleep(member.random.float() * 1_500)
        const name = item.data.toString()
        if (member.random.float() < 0.2) {
          await member.attempt('release', () => item.release())
        } else {
          await member.attempt('complete', async () => {
            try {
              await item.complete()
              completed.set(name, (completed.get(name) ?? 0) + 1)
              member.note(`completed ${name}`)
            } catch (thrown) {
              if (thrown instanceof ZooKeeperError && thrown.outcome === 'unknown') inDoubt.add(name)
              throw thrown
            }
          })
        }
        hands.delete(item)
      }
    }

    /** A take that ended early gives back what it had got, in the background. */
    async function nothingLocked(member: Member): Promise<void> {
      let locked: string[] = []
      for (let tries = 0; tries < 20; tries += 1) {
        locked = (await member.attempt('look for locks', () => member.session.ephemerals('/queue/locks'))) ?? ['?']
        if (locked.length === 0) return
        await sleep(member.clock, 500)
      }
      throw new Error(`${member.name} has finished and holds ${locked.join(', ')}`)
    }

    return {
      play: async (member) => {
        await Promise.all([put(member), take(member)])
        await nothingLocked(member)
      },
      check: () => {
        for (const [name, times] of completed) if (times > 1) throw new Error(`${name} was completed ${times} times`)
        const held = new Map<string, Member>()
        for (const [item, member] of hands) {
          if (!member.awake || member.deposed || !item.held) continue
          const other = held.get(item.id)
          if (other !== undefined) throw new Error(`${member.name} and ${other.name} hold ${item.data.toString()}`)
          held.set(item.id, member)
        }
      },
      end: async (outside) => {
        const rest = fifoQueue(outside, options)
        const left = new Set<string>()
        while ((await rest.size()) > 0) {
          const item = await rest.takeLocked({ timeoutMs: 10_000 })
          const name = item.data.toString()
          if (left.has(name)) throw new Error(`${name} was in the queue twice`)
          if (completed.has(name)) throw new Error(`${name} was completed and is in the queue`)
          left.add(name)
          await item.complete()
        }
        for (const name of acknowledged)
          if (!completed.has(name) && !left.has(name) && !inDoubt.has(name) && !lostWithItsTaker(name))
            throw new Error(`${name} is lost`)
        const { names } = await outside.children('/queue/takers')
        if (names.length > 0) throw new Error(`takers left behind: ${names.join(', ')}`)
        world.note(`${acknowledged.size} put, ${completed.size} completed, ${left.size} left`)
      },
    }

    /** Who died or was stopped while completing cannot tell. */
    function lostWithItsTaker(name: string): boolean {
      return [...hands].some(([item, member]) => !member.awake && item.data.toString() === name)
    }
  },
}
