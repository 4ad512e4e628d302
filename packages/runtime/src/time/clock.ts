// Time is an argument. Decisions take `now`; shells take a Clock, so that a test can hold time still and a simulation
// can run an hour in a second. This is the one file that holds the real timers.

/** A pending call; cancelling one that has run, or twice, does nothing. */
export interface Timer {
  cancel(): void
}

/** Wall and monotonic time in milliseconds, and calls in the future. */
export interface Clock {
  /** Milliseconds since 1970. May jump; for what people read and what is stored. */
  now(): number
  /** Milliseconds since an arbitrary start. Never jumps; for every interval, timeout and deadline. */
  monotonicMs(): number
  /** Calls `fire` once, `delayMs` from now, unless cancelled. */
  after(delayMs: number, fire: () => void): Timer
}

/** The longest delay that Node's timers know: a longer one would fire at once. */
const timeoutMsMax = 2 ** 31 - 1

export const realClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, fire) => {
    let handle: NodeJS.Timeout
    const arm = (leftMs: number): void => {
      handle =
        leftMs > timeoutMsMax
          ? setTimeout(() => {
              arm(leftMs - timeoutMsMax)
            }, timeoutMsMax)
          : setTimeout(fire, leftMs)
    }
    arm(delayMs)
    return {
      cancel: () => {
        clearTimeout(handle)
      },
    }
  },
}
