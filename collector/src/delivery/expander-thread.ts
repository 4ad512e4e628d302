// The thread of expander.ts. It imports nothing but zlib: its heap is to stay small.

import { parentPort, workerData } from 'node:worker_threads'
import { expand, type RawShape } from './expand.ts'

/** Where in the shared memory the raw bytes of a payload go. */
export interface Order extends RawShape {
  readonly payload: Uint8Array
  readonly at: number
}

const arena = new Uint8Array(workerData as SharedArrayBuffer)

parentPort?.on('message', (orders: readonly Order[]) => {
  parentPort?.postMessage(orders.map(failure))
})

/** Why an order could not be carried out; undefined when its bytes stand in the arena. */
function failure(order: Order): string | undefined {
  try {
    arena.set(expand(order, order.payload), order.at)
    return undefined
  } catch (thrown) {
    return String(thrown)
  }
}
