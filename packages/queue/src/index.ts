export { openQueues, type QueuesOptions, type RedisSettings } from './open.ts'
export { jobId, type DeliveryJob } from './job.ts'
export type { QueueLimits, QueueTimes } from './limits.ts'
export type { BackoffPolicy } from './decide/backoff.ts'
export type { QueueProblem } from './decide/problems.ts'
export type { TokenRate } from './decide/token-bucket.ts'
export type { RedisTls } from './redis/connection.ts'
export type {
  AddResult,
  CloseResult,
  DeliveryQueue,
  JobContext,
  JobState,
  JobOutcome,
  Processor,
  QueueCounts,
  QueuedJob,
  Queues,
  RateLimiter,
  ReconcileResult,
  AddRefusal,
} from './queues.ts'
