import { asError } from '@catchment/runtime'

/** The outcome of `work`, or a rejection with the signal's reason as soon as it aborts. The work itself goes on. */
export async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let abort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(asError(signal.reason))
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
