// The thread of expander.ts. It imports nothing but zlib: its heap is to stay small.

import { parentPort, workerData } from 'node:worker_threads'
import { expand, type RawShape } from './expand.ts'

/** Where in the shared memory the raw bytes of a payload go. */
export interface ExpandTask extends RawShape {
  readonly payload: Uint8Array
  readonly at: number
}

const arena = new Uint8Array(workerData as SharedArrayBuffer)

parentPort?.on('message', (tasks: readonly ExpandTask[]) => {
  parentPort?.postMessage(tasks.map(failure))
})

/** Why a task could not be carried out; undefined when its bytes stand in the arena. */
function failure(task: ExpandTask): string | undefined {
  try {
    arena.set(expand(task, task.payload), task.at)
    return undefined
  } catch (thrown) {
    return String(thrown)
  }
}
