import { fifoQueue, ZooKeeperError, type QueuedItem, type ZooKeeperSession } from '@catchment/coordination'
import { priorityQueue } from '@catchment/coordination/recipes'
import { sleep } from '@catchment/runtime'
import type { Member } from '../../world/member.ts'
import { Items, type Item } from './queue-items.ts'
import type { Story } from '../story.ts'

const options = { path: '/queue', itemsMax: 1_000 }

interface StoryQueue {
  put(data: Uint8Array, priority: number, call: { readonly timeoutMs?: number }): Promise<unknown>
  takeLocked(call: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<QueuedItem>
  size(): Promise<number>
}

type Open = (session: ZooKeeperSession, id?: string) => StoryQueue

/**
 * What was put is in the queue once; no two that can act hold an item at the same instant; nothing is completed twice;
 * nothing is lost: at the end every acknowledged item has been completed, or is still there. What comes before is taken
 * before, and what came back is in its old place. When all is calm nothing waits while a taker does.
 */
export const queueStory = story('queue', 1, (session, id = 'taker') => {
  const queue = fifoQueue(session, { ...options, id })
  return {
    put: (data, _priority, call) => queue.put(data, call),
    takeLocked: (call) => queue.takeLocked(call),
    size: () => queue.size(),
  }
})

/** The same by priorities. */
export const priorityQueueStory = story('priority queue', 3, (session, id = 'taker') =>
  priorityQueue(session, { ...options, id }),
)

function story(recipe: string, priorities: number, open: Open): Story {
  return {
    recipe,
    members: 3,
    start: (world) => {
      const items = new Items(world)
      return {
        play: async (member) => {
          await Promise.all([put(member, items, open(member.session), priorities), take(member, items, open)])
          await nothingLocked(member)
        },
        check: () => {
          items.check()
        },
        end: async (outside) => {
          await drain(open(outside), items)
          items.checkOrder()
          const { names } = await outside.children(`${options.path}/takers`)
          if (names.length > 0) throw new Error(`takers left behind: ${names.join(', ')}`)
        },
      }
    },
  }
}

async function put(member: Member, items: Items, queue: StoryQueue, priorities: number): Promise<void> {
  const { random } = member
  for (let count = 1; !member.over(); count += 1) {
    const item = items.make(`${member.name}-${count}`, Math.floor(random.float() * priorities))
    try {
      await queue.put(Buffer.from(item.name), item.priority, random.float() < 0.2 ? { timeoutMs: 1_500 } : {})
      items.acknowledged(item)
    } catch (thrown) {
      if (!(thrown instanceof ZooKeeperError)) throw thrown
      member.note(`put ${item.name}: ${thrown.code}, ${thrown.outcome}`)
      item.refused = thrown.outcome === 'not-done'
    }
    // Now and then in a row, so that some wait.
    if (random.float() < 0.7) await member.sleep(random.float() * 3_500)
  }
}

async function take(member: Member, items: Items, open: Open): Promise<void> {
  const { random, signal } = member
  const queue = open(member.session, member.name)
  while (!member.over()) {
    const call = random.float() < 0.2 ? { timeoutMs: random.float() * 5_000, signal } : { signal }
    const waits = items.wait(member)
    const held = await member.attempt('take', () => queue.takeLocked(call))
    const item = items.taken(waits, held)
    if (held === undefined || item === undefined) continue
    member.note(`took ${item.name}, ${held.token}`)
    await member.sleep(random.float() * 1_500)
    if (random.float() < 0.2) {
      const released = await member.attempt('release', () => held.release().then(() => true))
      items.released(member, item, released === true ? held : undefined)
    } else await complete(member, items, item, held)
  }
}

async function complete(member: Member, items: Items, item: Item, held: QueuedItem): Promise<void> {
  await member.attempt('complete', async () => {
    try {
      await held.complete()
      item.completed += 1
      member.note(`completed ${item.name}`)
    } catch (thrown) {
      item.inDoubt ||= thrown instanceof ZooKeeperError && thrown.outcome === 'unknown'
      throw thrown
    }
  })
  items.released(member, item, undefined)
}

/** A take that ended early gives back what it had got, in the background. */
async function nothingLocked(member: Member): Promise<void> {
  let locked: string[] = []
  for (let tries = 0; tries < 20; tries += 1) {
    const path = `${options.path}/locks`
    locked = (await member.attempt('look for locks', () => member.session.ephemerals(path))) ?? ['?']
    if (locked.length === 0) return
    await sleep(member.clock, 500)
  }
  throw new Error(`${member.name} has finished and holds ${locked.join(', ')}`)
}

/** Takes what is left. */
async function drain(queue: StoryQueue, items: Items): Promise<void> {
  while ((await queue.size()) > 0) {
    const held = await queue.takeLocked({ timeoutMs: 10_000 })
    items.left(held.data.toString())
    await held.complete()
  }
  items.checkLost()
}
