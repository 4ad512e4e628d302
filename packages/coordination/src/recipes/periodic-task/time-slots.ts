import { ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, is } from '../../session/contract/given.ts'

/** The moments at which something is to happen, the same for all who compute them: wall clock, ms since 1970. */
export interface Schedule {
  /** The latest slot at or before `atMs`. */
  atOrBefore(atMs: number): number
  /** The first slot after `atMs`. */
  after(atMs: number): number
}

/** A slot every `intervalMs`, aligned to 1970 (a day's slots to midnight UTC), moved by `offsetMs`. Whole, at least 1 ms; throws `bad-arguments`. */
export function every(intervalMs: number, offsetMs = 0): Schedule {
  const rules = { intervalMs: is.wholeNumber(1), offsetMs: is.that('is a whole number', Number.isInteger) }
  assertGiven('make schedule', { intervalMs, offsetMs }, rules)
  const atOrBefore = (atMs: number): number => Math.floor((atMs - offsetMs) / intervalMs) * intervalMs + offsetMs
  return { atOrBefore, after: (atMs) => atOrBefore(atMs) + intervalMs }
}

/** As `schedule`, which may be anyone's: throws `bad-arguments` where that gives what no record can hold. */
export function checkedSchedule(schedule: Schedule): Schedule {
  const checked = (method: keyof Schedule) => (atMs: number) => {
    const slotMs = schedule[method](atMs)
    if (Number.isSafeInteger(slotMs)) return slotMs
    throw new ZooKeeperError('bad-arguments', `schedule.${method}() gave ${String(slotMs)}, not whole milliseconds`)
  }
  return { atOrBefore: checked('atOrBefore'), after: checked('after') }
}

/** Which slot is to be run at `nowMs` after `lastMs`: the oldest of the newest `catchUpMax`; undefined if none is due. */
export function dueSlot(
  schedule: Schedule,
  { lastMs, nowMs, catchUpMax }: { lastMs: number; nowMs: number; catchUpMax: number },
): number | undefined {
  let due: number | undefined
  let slot = schedule.atOrBefore(nowMs)
  for (let count = 0; count < catchUpMax && slot > lastMs; count += 1) {
    due = slot
    slot = schedule.atOrBefore(slot - 1)
  }
  return due
}
