/** The delay after `failures` failures in a row: half of an exponentially growing ceiling at least. `chance` in [0, 1). */
export function backoffMs(
  limits: { readonly baseMs: number; readonly maxMs: number },
  failures: number,
  chance: number,
): number {
  const ceilingMs = Math.min(limits.maxMs, limits.baseMs * 2 ** Math.min(failures, 10))
  return ceilingMs * (0.5 + chance / 2)
}
