import { Backoff } from '../session/backoff.ts'
import { ZooKeeperError } from '../session/errors.ts'
import { pause } from './until-answered.ts'
import type { CallOptions, ZooKeeperSession } from '../session/session.ts'

const conflictBackoff = { baseMs: 5, maxMs: 500 }

/**
 * Repeats `attempt`, which reads, and writes at the version that it read, until nobody else was faster: that it tells by
 * undefined, and certainly has written nothing then. Others get a short random time in between. `name` is for errors:
 * "publish /colour". Ends between two attempts with `aborted` by the signal and with `timeout` after `timeoutMs` (no limit
 * unless given), else as an attempt does.
 */
export async function untilWritten<T>(
  { clock, random }: Pick<ZooKeeperSession, 'clock' | 'random'>,
  name: string,
  attempt: (left: CallOptions) => Promise<T | undefined>,
  call: CallOptions,
): Promise<T> {
  const endMs = clock.monotonicMs() + (call.timeoutMs ?? Infinity)
  const leftMs = (): number => endMs - clock.monotonicMs()
  const backoff = new Backoff(random, conflictBackoff)
  for (;;) {
    const written = await attempt({ ...call, timeoutMs: Math.max(1, leftMs()) })
    if (written !== undefined) return written
    if (leftMs() <= 0)
      throw new ZooKeeperError('timeout', `${name}: others were faster, for ${String(call.timeoutMs)} ms`)
    await pause(clock, Math.min(backoff.nextMs(), leftMs()), 'not-done', call.signal)
  }
}
