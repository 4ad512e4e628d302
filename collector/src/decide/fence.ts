import type { CollectorStatus } from '@catchment/protocol'

/**
 * Whether a status in the tree may be replaced: by a later start on the same data directory, or by the very same start in
 * a new session. One that cannot be read says whose it is no more, and may be replaced.
 */
export function mayReplace(
  existing: CollectorStatus | undefined,
  own: Pick<CollectorStatus, 'dataId' | 'starts' | 'incarnation'>,
): boolean {
  if (existing === undefined) return true
  if (existing.dataId !== own.dataId) return false
  return existing.starts < own.starts || existing.incarnation === own.incarnation
}
