// How the runs of a queue end: most of the time is grace, the rest is for runs that end when their signal aborts.

import type { Clock } from '@catchment/runtime'
import { within } from './deadline.ts'
import type { JobRuns } from './runs.ts'

const graceShare = 0.6
const abortedShare = 0.2

/** Waits until no run is left, within four fifths of `deadlineMs`. Returns the ids of those that are. */
export async function endRuns(runs: JobRuns, clock: Clock, deadlineMs: number): Promise<readonly string[]> {
  await within(clock, runs.idle(), deadlineMs * graceShare, undefined)
  runs.abort('the collector is closing')
  await within(clock, runs.idle(), deadlineMs * abortedShare, undefined)
  return runs.ids()
}
