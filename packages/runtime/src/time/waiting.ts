// Waiting that can end early. Every listener for an abort is set here and taken back here, because a signal that lives long
// keeps its listeners as long.

import { asError } from '../errors.ts'
import type { Clock } from './clock.ts'

/** What may end a wait before its time; without either it takes as long as it takes. */
export interface WaitLimits {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
}

/** Calls `listener` once, as soon as `signal` aborts: from within this call if it has. Returns what takes the listener back. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal?.aborted === true) listener()
  else signal?.addEventListener('abort', listener, { once: true })
  return () => {
    signal?.removeEventListener('abort', listener)
  }
}

/** Ends as `work` does, or rejects with the signal's reason as soon as it aborts; `work` then goes on, its result dropped. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const unsubscribe = onAbort(signal, () => {
      reject(asError(signal.reason))
    })
    void work.then(resolve, reject).finally(unsubscribe)
  })
}

/**
 * Calls `end` once: with `timeout` after `timeoutMs`, or with `aborted` as soon as `signal` aborts (from within this call if
 * it has). Returns what takes both back, to be called when the wait is over.
 */
export function limitWait(
  clock: Clock,
  { signal, timeoutMs }: WaitLimits,
  end: (why: 'timeout' | 'aborted') => void,
): () => void {
  if (signal?.aborted === true) {
    end('aborted')
    return () => undefined
  }
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.after(Math.max(0, timeoutMs), () => {
          unsubscribe()
          end('timeout')
        })
  const unsubscribe = onAbort(signal, () => {
    timer?.cancel()
    end('aborted')
  })
  return () => {
    timer?.cancel()
    unsubscribe()
  }
}

/** Resolves after `delayMs`; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    limitWait(clock, { signal, timeoutMs: delayMs }, (why) => {
      if (why === 'timeout') resolve()
      else reject(asError(signal?.reason))
    })
  })
}
