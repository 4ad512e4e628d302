import { asError } from '@catchment/runtime'
import type { SessionLog } from './session.ts'

/**
 * Calls what a user gave us. What it throws, or rejects with later if it is async, is logged under `name` ("a listener of
 * the session") and goes no further: it neither stops what we were doing nor ends the process. Nothing waits for it.
 */
export function notify<Args extends readonly unknown[]>(
  log: SessionLog,
  name: string,
  callback: (...args: Args) => unknown,
  ...args: Args
): void {
  const failed = (thrown: unknown): void => {
    log(`${name} threw`, { error: asError(thrown) })
  }
  try {
    const returned = callback(...args)
    if (typeof returned === 'object' && returned !== null && 'then' in returned) Promise.resolve(returned).catch(failed)
  } catch (thrown) {
    failed(thrown)
  }
}
