// A job points at a range of a segment and never carries records: a pointer costs Redis under a kilobyte, whatever the
// range holds, and a job that is lost can be made again from the segments.

import { z } from 'zod'

const jobSchema = z.object({
  sink: z.string().min(1),
  segment: z.number().int().nonnegative(),
  from: z.number().int().nonnegative(),
  to: z.number().int().nonnegative(),
  version: z.number().int().nonnegative(),
})

export interface DeliveryJob {
  readonly sink: string
  /** The number of the segment. */
  readonly segment: number
  /** Byte offsets in the segment, at boundaries of frames; `to` is the first byte after the range. */
  readonly from: number
  readonly to: number
  /** Of the sink's configuration by which the job was cut; not part of its identity. */
  readonly version: number
}

/**
 * The same for the same (sink, segment, from, to), on every machine and in every process: so a job that is added twice is
 * there once. `es-7-0-1048576`. BullMQ refuses ids of digits only and ids with one colon; neither can come out here.
 */
export function jobId({ sink, segment, from, to }: DeliveryJob): string {
  return `${escaped(sink)}-${segment}-${from}-${to}`
}

/** The name of the queue of a sink and a collector; the braces make Redis Cluster keep all its keys in one slot. */
export function queueName(collector: string, sink: string): string {
  return `{${escaped(collector)}.${escaped(sink)}}`
}

/** A job as it was read from Redis; undefined when it is none of ours. */
export function parseJob(data: unknown): DeliveryJob | undefined {
  const parsed = jobSchema.safeParse(data)
  return parsed.success ? parsed.data : undefined
}

/** Without `:` (BullMQ's), `{` and `}` (the cluster's) and `.` (ours). */
function escaped(name: string): string {
  return encodeURIComponent(name).replaceAll('.', '%2E')
}
