// Unconfirmed ranges: bytes that were sent to a collector and never answered. It may hold them, so a frame that carries
// some of them elsewhere names them.

import { unconfirmedMax, type Unconfirmed } from '@catchment/protocol'

export interface Added {
  readonly unconfirmed: readonly Unconfirmed[]
  /** The oldest range, which can no longer be named: more than `unconfirmedMax` collectors were left unanswered. */
  readonly dropped: Unconfirmed | undefined
}

/** One range per collector: a second one at the same collector widens the first. */
export function withUnconfirmed(unconfirmed: readonly Unconfirmed[], range: Unconfirmed): Added {
  const same = unconfirmed.find((other) => other.at === range.at)
  const merged =
    same === undefined
      ? range
      : { from: Math.min(same.from, range.from), to: Math.max(same.to, range.to), at: range.at }
  const all = [...unconfirmed.filter((other) => other !== same), merged]
  if (all.length <= unconfirmedMax) return { unconfirmed: all, dropped: undefined }
  return { unconfirmed: all.slice(1), dropped: all[0] }
}

/** Which of the bytes [from, to) other collectors than the present one may hold: what a frame of them names. */
export function unconfirmedIn(
  sender: { readonly unconfirmed: readonly Unconfirmed[]; readonly collector: string | undefined },
  from: number,
  to: number,
): Unconfirmed[] {
  return sender.unconfirmed
    .filter((range) => range.at !== sender.collector && range.from < to && range.to > from)
    .map((range) => ({ from: Math.max(from, range.from), to: Math.min(to, range.to), at: range.at }))
}
