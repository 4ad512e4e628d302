// Sets of bytes as sorted, disjoint ranges that never touch: [0,5) and [5,9) are [0,9).

import type { ByteRange } from '@catchment/protocol'

/** The first index in `ranges` whose `from` lies past `offset`. */
export function indexAfter(ranges: readonly ByteRange[], offset: number): number {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ranges[middle]?.from ?? Infinity) <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** `ranges` and `added`, as a set. */
export function united(ranges: readonly ByteRange[], added: ByteRange): ByteRange[] {
  if (added.from >= added.to) return [...ranges]
  const before = ranges.filter((range) => range.to < added.from)
  const after = ranges.filter((range) => range.from > added.to)
  const touching = ranges.filter((range) => range.to >= added.from && range.from <= added.to)
  const from = Math.min(added.from, touching[0]?.from ?? Infinity)
  const to = Math.max(added.to, touching.at(-1)?.to ?? 0)
  return [...before, { from, to }, ...after]
}

/** `ranges` without the bytes of `removed`. */
export function subtracted(ranges: readonly ByteRange[], removed: ByteRange): ByteRange[] {
  return ranges.flatMap((range) => {
    if (removed.to <= range.from || removed.from >= range.to) return [range]
    return [
      { from: range.from, to: removed.from },
      { from: removed.to, to: range.to },
    ].filter((rest) => rest.from < rest.to)
  })
}
