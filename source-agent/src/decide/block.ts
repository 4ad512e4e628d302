// Where a block of a file is cut. Frames hold whole lines where they can: a last line without its newline waits, until it
// has waited long enough or fills the block; then it travels marked.

/** A run of NULs at the start of a file, this long or longer, is a hole that a writer without O_APPEND left. */
export const holeBytesMin = 4096

export type BlockCut =
  /** Nothing to take yet; `partialBytes` wait for their newline. */
  | { readonly type: 'wait'; readonly partialBytes: number }
  | { readonly type: 'take'; readonly bytes: number; readonly partialLine: boolean }
  | { readonly type: 'hole'; readonly bytes: number }

/**
 * What to take of `data`, read at a place where `atStart` says that nothing came before, `inHole` that only a hole did.
 * `full`: the block is as long as blocks get. `overdue`: the partial line at the end has waited long enough.
 */
export function cutBlock(
  data: Uint8Array,
  place: { readonly atStart: boolean; readonly inHole: boolean; readonly full: boolean; readonly overdue: boolean },
): BlockCut {
  if ((place.atStart || place.inHole) && data[0] === 0) {
    const run = leadingNuls(data)
    if (place.inHole || run >= holeBytesMin) return { type: 'hole', bytes: run }
  }
  const newline = data.lastIndexOf(10)
  if (newline >= 0) return { type: 'take', bytes: newline + 1, partialLine: false }
  if (data.length > 0 && (place.full || place.overdue)) return { type: 'take', bytes: data.length, partialLine: true }
  return { type: 'wait', partialBytes: data.length }
}

export function countLines(data: Uint8Array): number {
  let lines = 0
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) lines += 1
  return lines
}

function leadingNuls(data: Uint8Array): number {
  let at = 0
  while (at < data.length && data[at] === 0) at += 1
  return at
}
