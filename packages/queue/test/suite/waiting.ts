import { eventually } from '@catchment/testing'
import {
  jobId,
  type DeliveryJob,
  type DeliveryQueue,
  type Processor,
  type Queues,
  type AddRefusal,
} from '../../src/index.ts'
import { done, job } from './opening.ts'

/** Adds until all are accepted: Redis may still be connecting. */
export async function accepted(queue: DeliveryQueue, jobs: readonly DeliveryJob[] = [job(0)]): Promise<void> {
  await eventually('the jobs to be accepted', async () => (await queue.add(jobs)).accepted === jobs.length)
}

/** Reconciles until all are there, as the outbox does; how many had been there at that time. */
export async function reconciled(queue: DeliveryQueue, jobs: readonly DeliveryJob[]): Promise<number> {
  const result = await eventually('the jobs to be there', async () => {
    const answer = await queue.reconcile(jobs)
    return answer.accepted === jobs.length && answer
  })
  return result.present
}

/** Adds until that is refused for `reason`. */
export async function refusedAs(queue: DeliveryQueue, reason: AddRefusal, jobs = [job(99)]): Promise<void> {
  await eventually(`an add to be refused as ${reason}`, async () => (await queue.add(jobs)).reason === reason)
}

export async function problem(queues: Queues, code: string): Promise<void> {
  await eventually(`the problem ${code}`, () => queues.problems().some((one) => one.code === code))
}

export async function noProblems(queues: Queues): Promise<void> {
  await eventually('no problems', () => queues.problems().length === 0)
}

export async function empty(queue: DeliveryQueue): Promise<void> {
  await eventually('the queue to be empty', async () => {
    const counts = await queue.counts()
    return counts !== undefined && counts.waiting + counts.active + counts.delayed === 0
  })
}

/** A processor that does every job at once, and the ids of what it has done. */
export function doing(): { processor: Processor; ids: string[] } {
  const ids: string[] = []
  return {
    ids,
    processor: (given) => {
      ids.push(jobId(given))
      return Promise.resolve(done)
    },
  }
}

export async function allDone(ids: readonly string[], jobs: readonly DeliveryJob[]): Promise<void> {
  await eventually('every job to be done', () => jobs.every((given) => ids.includes(jobId(given))))
}
