import { asError } from '@catchment/runtime'
import type { DeliveryJob } from './job.ts'
import type { JobOutcome, Processor } from './queues.ts'
import type { JobRun } from './runs.ts'

/** Lets `processor` do the job as `run`, which has ended when this resolves. What the processor throws is a retry. */
export async function perform(processor: Processor, job: DeliveryJob, run: JobRun): Promise<JobOutcome> {
  try {
    return await processor(job, run.context)
  } catch (thrown) {
    return { kind: 'retry', error: asError(thrown).message }
  } finally {
    run.end()
  }
}
