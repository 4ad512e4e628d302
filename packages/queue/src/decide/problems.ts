// What an operator should know about Redis, from what is known of it. A problem never refuses anything: delivery goes on,
// or waits, whatever stands here.

import type { RedisBreaker } from './breaker.ts'
import type { FailureCause } from './failure.ts'

export interface QueueProblem {
  /** Stable, to branch on: `redis-away`, `redis-hanging`, `redis-evicts`, … */
  readonly code: string
  readonly message: string
  readonly nextStep: string
}

export interface RedisHealth {
  /** Where it is, without a password. */
  readonly address: string
  readonly link: 'connecting' | 'ready' | 'away'
  /** The last error of the connection while it is away. */
  readonly linkError: string | undefined
  readonly breaker: RedisBreaker
  /** What CONFIG or INFO said; undefined where neither is allowed or not yet asked. */
  readonly evictionPolicy: string | undefined
  readonly version: string | undefined
}

const versionMin = [6, 2] as const

/** The problems of `health`, at most one of each code. */
export function problemsOf(health: RedisHealth): QueueProblem[] {
  return [...reachability(health), ...configuration(health)]
}

function reachability({ address, link, linkError, breaker }: RedisHealth): QueueProblem[] {
  if (link !== 'ready') {
    const refused = linkError !== undefined && /NOAUTH|WRONGPASS|NOPERM|invalid password/i.test(linkError)
    if (refused) return [problem('refused', address, linkError)]
    // before the first connection has failed there is nothing to report
    return link === 'connecting' && linkError === undefined ? [] : [problem('away', address, linkError)]
  }
  return breaker.kind === 'holding' ? [problem(breaker.cause, address, undefined)] : []
}

function configuration({ address, link, evictionPolicy, version }: RedisHealth): QueueProblem[] {
  if (link !== 'ready') return []
  const problems: QueueProblem[] = []
  if (evictionPolicy !== undefined && evictionPolicy !== 'noeviction')
    problems.push({
      code: 'redis-evicts',
      message: `Redis at ${address} has the eviction policy ${evictionPolicy}: at its memory limit it drops jobs, which then wait for the next reconciliation`,
      nextStep: 'set maxmemory-policy noeviction',
    })
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  if (version !== undefined && (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1])))
    problems.push({
      code: 'redis-too-old',
      message: `Redis at ${address} is version ${version}; the queue needs ${versionMin.join('.')} or newer`,
      nextStep: 'upgrade Redis, or run without --redis',
    })
  return problems
}

const texts: Record<FailureCause, readonly [what: string, nextStep: string]> = {
  away: ['cannot be reached', 'start Redis or correct its address; nothing is lost meanwhile, delivery waits'],
  hanging: ['does not answer within the time limit', 'look at its SLOWLOG, its disk and its machine'],
  'out-of-memory': ['has reached maxmemory and refuses writes', 'raise maxmemory, or find what else fills this Redis'],
  'read-only': ['is a replica and refuses writes', 'name the sentinels in the address, or address the master'],
  loading: ['is loading its data or busy', 'wait; if it lasts, look at its log'],
  unwritable: [
    'refuses writes because it cannot save or lacks replicas',
    "look at its disk, its log and its 'save' and 'min-replicas' settings",
  ],
  refused: ['refuses the user or password', 'correct the password file, the environment or the ACL'],
  'no-quorum': ['has no complete cluster or no sentinel that answers', 'look at CLUSTER INFO, or at the sentinels'],
  other: ['answers with errors', 'look at the log of this collector for the errors'],
}

function problem(cause: FailureCause, address: string, error: string | undefined): QueueProblem {
  const [what, nextStep] = texts[cause]
  return {
    code: `redis-${cause}`,
    message: `Redis at ${address} ${what}${error === undefined ? '' : `: ${error}`}`,
    nextStep,
  }
}
