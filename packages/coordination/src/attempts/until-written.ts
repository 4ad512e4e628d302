import { Backoff } from '../session/connection/backoff.ts'
import { ZooKeeperError } from '../session/contract/errors.ts'
import { pause } from './until-answered.ts'
import { sharedDeadline } from '../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../session/contract/session.ts'

const conflictBackoff = { baseMs: 5, maxMs: 500 }

/**
 * Repeats `attempt`, which reads, and writes at the version that it read, until no one else was faster: undefined says that
 * another was, and certainly has written nothing then. Others get a short random time in between. `name` is for errors:
 * "publish /colour". Ends between two attempts with `aborted` by the signal and with `timeout` after `timeoutMs` (no limit
 * unless given), else as an attempt does.
 */
export async function untilWritten<T>(
  { clock, random }: Pick<ZooKeeperSession, 'clock' | 'random'>,
  name: string,
  attempt: (left: CallOptions) => Promise<T | undefined>,
  call: CallOptions,
): Promise<T> {
  const { timeoutMs = Infinity } = call
  const left = sharedDeadline({ clock }, { ...call, timeoutMs })
  const backoff = new Backoff(random, conflictBackoff)
  for (;;) {
    const written = await attempt(left)
    if (written !== undefined) return written
    if (left.timeoutMs <= 0)
      throw new ZooKeeperError('timeout', `${name}: others were faster, for ${Math.round(timeoutMs)} ms`)
    await pause(clock, Math.min(backoff.nextMs(), left.timeoutMs), 'not-done', call.signal)
  }
}
