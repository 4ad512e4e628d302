// A worker of a queue as another process, for tests that kill it, block it, or watch it end. Words: what it does, the URL of
// Redis, and for `block` a file.

import { existsSync } from 'node:fs'
import { realClock, realRandom } from '@catchment/runtime'
import { collectingLog } from '@catchment/testing'
import { jobId, openQueues, type Processor } from '../../src/index.ts'

const [, , kind = '', url = '', path = ''] = process.argv
const queues = openQueues({
  ...{ collector: 'c1', clock: realClock, random: realRandom, log: collectingLog(), redis: { url } },
  times: { lockMs: 400, stalledCheckMs: 150, commandMs: 500, connectMs: 1_000, retry: { baseMs: 10, maxMs: 20 } },
})

const processors: Record<string, Processor> = {
  /** Blocks the event loop until the file is there. */
  block: (_job, context) => {
    console.log('begun')
    while (!existsSync(path)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    console.log(`held ${context.held()}`)
    return Promise.resolve({ kind: 'done' })
  },
  /** Does not end by itself. */
  hang: (job, { attempt, signal }) => {
    console.log(`begun ${jobId(job)} ${attempt}`)
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        resolve({ kind: 'retry', error: 'aborted' })
      })
    })
  },
}

const queue = queues.queue('es')
const processor = processors[kind]
if (processor !== undefined) queue.work(processor, { concurrency: 1 })
console.log('open')
// at the first input it closes, and ends only if nothing keeps it
process.stdin.once('data', () => {
  process.stdin.destroy()
  queues.close(1_000).then(
    ({ abandoned }) => {
      console.log(`closed ${abandoned.length}`)
    },
    (error: unknown) => {
      console.log(`failed ${String(error)}`)
    },
  )
})
