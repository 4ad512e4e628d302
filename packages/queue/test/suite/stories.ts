// What every implementation of the queue has to do.

import { collectingLog, eventually } from '@catchment/testing'
import { expect } from '@jest/globals'
import { jobId, type JobContext, type Processor } from '../../src/index.ts'
import type { Open } from './bench.ts'
import { done, job, jobsUpTo } from './opening.ts'
import { accepted, empty } from './waiting.ts'

/** What an implementation has to do; `open` gives empty queues. */
export interface Story {
  readonly name: string
  readonly play: (open: Open) => Promise<void>
}

/** A processor that records what it is given and does not end before `release`. */
function held(): { processor: Processor; begun: { id: string; context: JobContext }[]; release: () => void } {
  const begun: { id: string; context: JobContext }[] = []
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>()
  const processor: Processor = async (given, context) => {
    begun.push({ id: jobId(given), context })
    await released
    return done
  }
  return {
    processor,
    begun,
    release: () => {
      release(undefined)
    },
  }
}

async function everyJobOnce(open: Open): Promise<void> {
  const queue = open().queue('es')
  const seen: string[] = []
  queue.work((given) => Promise.resolve((seen.push(JSON.stringify(given)), done)), { concurrency: 3 })
  await accepted(queue, jobsUpTo(20))
  await empty(queue)
  expect(seen.toSorted()).toEqual(
    jobsUpTo(20)
      .map((given) => JSON.stringify(given))
      .toSorted(),
  )
}

async function addedTwice(open: Open): Promise<void> {
  const queue = open().queue('es')
  await accepted(queue, jobsUpTo(3))
  expect(await queue.add([job(1), job(2), job(3)])).toMatchObject({ accepted: 3, unknown: [], refused: [] })
  expect(await queue.counts()).toEqual({ waiting: 4, active: 0, delayed: 0 })
}

async function doneAndAddedAgain(open: Open): Promise<void> {
  const queue = open().queue('es')
  let runs = 0
  queue.work(() => Promise.resolve(((runs += 1), done)), { concurrency: 1 })
  for (const expected of [1, 2, 3]) {
    await accepted(queue)
    await eventually('the job to be done', () => runs === expected)
    await empty(queue)
  }
}

async function full(open: Open): Promise<void> {
  const queue = open({ limits: { jobsMax: 3 } }).queue('es')
  await accepted(queue, jobsUpTo(2))
  const result = await queue.add([job(2), job(3), job(4)])
  expect(result).toMatchObject({ accepted: 1, refused: [job(3), job(4)], reason: 'full' })
  expect(result.retryAfterMs).toBeGreaterThan(0)
}

async function reconcileAddsTheMissing(open: Open): Promise<void> {
  const queue = open().queue('es')
  await accepted(queue, jobsUpTo(2))
  expect(await queue.reconcile(jobsUpTo(5))).toMatchObject({ present: 2, accepted: 5, refused: [] })
  expect(await queue.counts()).toMatchObject({ waiting: 5 })
}

async function queuesAreApart(open: Open): Promise<void> {
  const queues = open()
  for (const sink of ['a', '7', 'a:b', '{x}', 'a.b', 'ü']) {
    const queue = queues.queue(sink)
    const seen: string[] = []
    await accepted(queue, jobsUpTo(2, sink))
    expect(await queue.counts()).toMatchObject({ waiting: 2 })
    queue.work((given) => Promise.resolve((seen.push(given.sink), done)), { concurrency: 1 })
    await empty(queue)
    expect(seen).toEqual([sink, sink])
    expect(queues.queue(sink)).toBe(queue)
  }
}

async function retriesUntilDone(open: Open): Promise<void> {
  const queue = open().queue('es')
  const attempts: number[] = []
  const processor: Processor = (_given, { attempt }) => {
    attempts.push(attempt)
    return Promise.resolve(attempt < 8 ? { kind: 'retry', error: 'the sink is away' } : done)
  }
  queue.work(processor, { concurrency: 1 })
  await accepted(queue)
  await eventually('the last attempt', () => attempts.length === 8)
  expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  await empty(queue)
}

async function throwingIsARetry(open: Open): Promise<void> {
  const queue = open({ limits: { errorCharactersMax: 10 } }).queue('es')
  const processor: Processor = ({ from }) => {
    if (from === 0) throw new Error('0123456789 and more')
    return Promise.resolve({ kind: 'retry', error: 'slow down', afterMs: 3_600_000 })
  }
  queue.work(processor, { concurrency: 1 })
  await accepted(queue, jobsUpTo(2))
  const slow = await eventually('the job that has to wait', async () =>
    (await queue.jobs('delayed', 10))?.find(({ lastError }) => lastError === 'slow down'),
  )
  expect(slow).toMatchObject({ id: jobId(job(1)), job: job(1), state: 'delayed', attempts: 1 })
  await eventually('the error that was thrown', async () =>
    (await queue.jobs('delayed', 10))?.some(({ lastError }) => lastError === '0123456789'),
  )
}

async function delayedIsThere(open: Open): Promise<void> {
  const queue = open().queue('es')
  queue.work(() => Promise.resolve({ kind: 'retry', error: 'no', afterMs: 3_600_000 }), { concurrency: 1 })
  await accepted(queue)
  await eventually('the retry', async () => (await queue.counts())?.delayed === 1)
  expect(await queue.reconcile([job(0)])).toMatchObject({ present: 1, accepted: 1 })
  expect(await queue.add([job(0)])).toMatchObject({ accepted: 1 })
  expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 1 })
}

async function concurrency(open: Open): Promise<void> {
  const queue = open().queue('es')
  const { processor, begun, release } = held()
  queue.work(processor, { concurrency: 3 })
  await accepted(queue, jobsUpTo(6))
  await eventually('three jobs to run', () => begun.length === 3)
  await eventually('the counts to say so', async () => (await queue.counts())?.active === 3)
  expect(begun.every(({ context }) => context.held() && !context.signal.aborted)).toBe(true)
  expect(() => {
    queue.work(processor, { concurrency: 1 })
  }).toThrow('worked on already')
  release()
  await empty(queue)
  expect(new Set(begun.map(({ id }) => id)).size).toBe(6)
  expect(begun[0]?.context.held()).toBe(false)
}

async function pauseAndResume(open: Open): Promise<void> {
  const queue = open().queue('es')
  let runs = 0
  queue.pause()
  queue.work(() => Promise.resolve(((runs += 1), done)), { concurrency: 2 })
  await accepted(queue, jobsUpTo(3))
  expect(await queue.counts()).toMatchObject({ waiting: 3 })
  expect(runs).toBe(0)
  queue.resume()
  await empty(queue)
  expect(runs).toBe(3)
  queue.pause()
  await accepted(queue, [job(9)])
  // a fetch that had begun before may have taken it, and gives it back
  await eventually('the job to wait', async () => {
    const counts = await queue.counts()
    return counts?.waiting === 1 && counts.active === 0
  })
  expect(runs).toBe(3)
  queue.resume()
  await empty(queue)
  expect(runs).toBe(4)
}

async function listing(open: Open): Promise<void> {
  const queue = open({ limits: { listedMax: 3 } }).queue('es')
  await accepted(queue, jobsUpTo(5))
  expect((await queue.jobs('waiting', 2))?.map((listed) => listed.job)).toEqual(jobsUpTo(2))
  expect(await queue.jobs('waiting', 100)).toHaveLength(3)
  expect(await queue.jobs('waiting', 0)).toEqual([])
  expect(await queue.jobs('active', 2)).toEqual([])
}

async function limiter(open: Open): Promise<void> {
  const limiter = open().limiter('es', { perSecond: 0.01, burst: 2 })
  const waitMs = await eventually('a wait', async () => {
    const answer = await limiter.take(2)
    return answer > 0 && answer
  })
  expect(waitMs).toBeGreaterThan(10_000)
  expect(waitMs).toBeLessThanOrEqual(200_000)
}

async function closeInTime(open: Open): Promise<void> {
  const queues = open()
  const queue = queues.queue('es')
  const { processor, begun, release } = held()
  queue.work(processor, { concurrency: 1 })
  await accepted(queue, jobsUpTo(3))
  await eventually('a job to run', () => begun.length === 1)
  const closed = queues.close(10_000)
  release()
  expect(await closed).toEqual({ abandoned: [] })
  expect(begun).toHaveLength(1)
  expect(await queue.add([job(5)])).toMatchObject({ accepted: 0, refused: [job(5)], reason: 'closing' })
  expect(await queue.reconcile([job(5)])).toMatchObject({ present: 0, refused: [job(5)], reason: 'closing' })
}

async function closeByAbort(open: Open): Promise<void> {
  const log = collectingLog()
  const queues = open({ log })
  const queue = queues.queue('es')
  const contexts: JobContext[] = []
  const stubborn = Promise.withResolvers<typeof done>()
  const processor: Processor = ({ from }, context) => {
    contexts.push(context)
    if (from > 0) return stubborn.promise
    return new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        resolve({ kind: 'retry', error: 'closing' })
      })
    })
  }
  queue.work(processor, { concurrency: 2 })
  await accepted(queue, jobsUpTo(2))
  await eventually('both jobs to run', () => contexts.length === 2)
  expect(await queues.close(500)).toEqual({ abandoned: [jobId(job(1))] })
  expect(contexts.map((context) => [context.signal.aborted, context.held()])).toEqual([
    [true, false],
    [true, false],
  ])
  stubborn.resolve(done)
}

export const stories: readonly Story[] = [
  { name: 'add: every job is processed once, as it was given, and leaves nothing', play: everyJobOnce },
  { name: 'add: a job that is there is not added again, and is accepted', play: addedTwice },
  { name: 'add: a job that was done can be added again', play: doneAndAddedAgain },
  { name: 'add: beyond jobsMax jobs are refused as full, the first ones are kept', play: full },
  { name: 'reconcile: adds what is missing and nothing else', play: reconcileAddsTheMissing },
  { name: 'the queues of two sinks are apart, whatever their names', play: queuesAreApart },
  { name: 'a job that fails comes again as the same job until it is done, however often', play: retriesUntilDone },
  {
    name: 'a processor that throws is a retry with its message; afterMs is waited for at least',
    play: throwingIsARetry,
  },
  { name: 'a job that waits for its next attempt is still there for add and reconcile', play: delayedIsThere },
  { name: 'work: no more than `concurrency` jobs run, and so many do', play: concurrency },
  { name: 'pause: no job begins until resume', play: pauseAndResume },
  { name: 'jobs: lists at most the limit, the next ones first', play: listing },
  { name: 'limiter: grants its burst, then says how long to wait', play: limiter },
  {
    name: 'close: a job that ends in time is done, none begins after it, and nothing is added any more',
    play: closeInTime,
  },
  {
    name: 'close: a job that follows its signal ends; one that does not is abandoned and no longer holds its job',
    play: closeByAbort,
  },
]
