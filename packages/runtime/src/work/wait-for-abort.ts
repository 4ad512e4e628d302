import { onAbort } from '../time/waiting.ts'

/** Resolves when `signal` aborts, at once where it has. */
export function waitForAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    onAbort(signal, resolve)
  })
}
