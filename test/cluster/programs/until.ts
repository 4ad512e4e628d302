import { patienceMs } from '@catchment/testing'

/** How long a story of many steps may take, each of which waits with patience: it ends one that hangs, and claims nothing. */
export const storyMs = 6 * patienceMs

/** Looks every `everyMs` until `look` gives a value; the error after `withinMs` says what was last seen. */
export async function until<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T | undefined> | T | undefined,
  everyMs = 50,
): Promise<T> {
  const started = performance.now()
  let last = 'nothing'
  for (;;) {
    try {
      const value = await look()
      if (value !== undefined) return value
    } catch (thrown) {
      last = String(thrown)
    }
    if (performance.now() - started > withinMs)
      throw new Error(`waited ${withinMs} ms for ${what}; last error: ${last}`)
    await pause(everyMs)
  }
}

/** The rhythm of a schedule that is made of time, such as "a kill every two seconds"; never a guess at how long something takes. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
