import { takingOf, type FifoQueue } from './fifo-queue.ts'
import { Queue, type QueueOptions } from './queue.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export interface PriorityQueue extends Omit<FifoQueue, 'put' | 'putOperation'> {
  /** Priority 0 is taken first, 999 last. Resolves with the item's id once it is in the queue. */
  put(data: Uint8Array, priority: number, options?: CallOptions): Promise<string>
}

/**
 * A queue by priority; within a priority first in, first out. Source: ZooKeeper recipes, "Priority Queues".
 *
 * Protocol, guarantees, limits and behaviour when cut off are those of fifoQueue; the priority stands first in an item's
 * name. An item that comes while takers work through a listing is seen with the next one, within 200 ms. A priority that
 * always has items starves those after it.
 */
export function priorityQueue(session: ZooKeeperSession, options: QueueOptions): PriorityQueue {
  const queue = new Queue(session, options)
  return { ...takingOf(queue), put: (data, priority, call = {}) => queue.put(data, priority, call) }
}
