import { Queue, type ItemsOptions, type QueueOptions, type WaitingItem } from './queue.ts'
import type { QueuedItem } from './queued-item.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

export interface FifoQueue {
  /** Resolves with the item's id once it is in the queue. */
  put(data: Uint8Array, options?: CallOptions): Promise<string>
  /** Waits for an item, removes it and resolves with its data: at most once, for a taker that dies with it has lost it. */
  take(options?: CallOptions): Promise<Buffer>
  /** Waits for an item and locks it: at least once, until it is completed. */
  takeLocked(options?: CallOptions): Promise<QueuedItem>
  /** The next item to be taken. */
  peek(options?: CallOptions): Promise<WaitingItem | undefined>
  /** How many wait, those that are locked included. */
  size(options?: CallOptions): Promise<number>
  /** The first `max` that wait, in their order, those that are locked included. */
  items(options: ItemsOptions): Promise<readonly WaitingItem[]>
  /**
   * What puts an item, for a transaction of someone else's; once per transaction. Does not count against `itemsMax`. Throws
   * `refused` unless this object was used before, if by size() only, because that makes the nodes.
   */
  putOperation(data: Uint8Array): Operation
}

/**
 * A queue: first in, first out. Source: ZooKeeper recipes, "Queues", and Curator's DistributedQueue (locks); the receipts,
 * the versions as fence and the line of takers are ours.
 *
 * Protocol, below `path`:
 *   items/<priority>-<id>-<sequence>   persistent sequential; the data. Its version counts how often it was locked
 *   locks/<item>    ephemeral, while the item is taken. Locking creates it and writes the item at the version that was read;
 *                   completing deletes both: each one transaction
 *   puts/<id>       ephemeral receipt, in one transaction with the item, removed after the answer
 *   takers/         the election of those who wait
 *
 * Guarantees. An item is put once: a put whose answer was lost is repeated, which the receipt makes harmless. Only if the
 * session was lost before the answer came, and the item is not in the queue, does put reject with the outcome `unknown`: it
 * was never put or has been taken already. A put that ends by its deadline or signal while it is under way is `unknown` too.
 * An item is locked by one taker at a time, completed once, and never lost: its taker's session over, it is in its old place.
 * Order: one that was put after another's put had resolved is taken after it, unless that one came back from a taker.
 * What was released comes back at once, and as often as it is released: `attempts` counts. For a pause, release it later:
 * until then it is held, takers go on to the next, and a taker that dies meanwhile ends the pause. For an end, complete it after
 * so many attempts, with `putOperation` of another queue as `also`: it is there or here, at every instant.
 * Bound: puts through one instance never exceed `itemsMax`; of n instances that put at the same instant the others' puts
 * under way come on top.
 *
 * A take tries what the last listing showed (used up or 200 ms old, it lists again, so many takes share one listing of a long
 * queue); of n takers that try the same item n - 1 go on to the next. When there is nothing, takers stand in line, and only
 * the first watches: one item wakes one taker, whose leaving wakes the next. While every item is locked the first lists
 * again whenever a lock comes or goes. A first who dies lets the line wait until its session is over.
 *
 * Suspended: calls wait, as long as their `timeoutMs` and `signal` let them; an item in hand is not `held`. Lost: takes go on
 * in the next session; items in hand have gone back. A take that ends early leaves nothing locked; it may end later than its
 * deadline by the time it takes to know. Its nodes are made again where a new session finds none.
 *
 * Throws `bad-arguments`.
 */
export function fifoQueue(session: ZooKeeperSession, options: QueueOptions): FifoQueue {
  const queue = new Queue(session, options)
  return {
    ...takingOf(queue),
    put: (data, call = {}) => queue.put(data, 0, call),
    putOperation: (data) => queue.putOperation(data, 0),
  }
}

/** What queues of any order have in common. */
export function takingOf(queue: Queue): Omit<FifoQueue, 'put' | 'putOperation'> {
  return {
    take: (call = {}) => queue.takeOut(call),
    takeLocked: (call = {}) => queue.takeLocked(call),
    peek: (call = {}) => queue.peek(call),
    size: (call = {}) => queue.size(call),
    items: (listing) => queue.items(listing),
  }
}
