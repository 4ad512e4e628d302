import type { ExplainAnswer, JournalEntry, Load } from '@catchment/protocol'
import type { Standpoint } from '../../tree/decide/serving.ts'

/** Where a group is, and every decision of the journal that names it, newest first. */
export function explain(
  group: string,
  standpoint: Standpoint,
  journal: readonly JournalEntry[],
  loads: ReadonlyMap<string, Load>,
): ExplainAnswer {
  const servedBy = standpoint.index.serverOf(group)
  const ownedBy = standpoint.index.ownerOf(group)
  const load = loads.get(group)
  const served = servedBy !== undefined && standpoint.collectors.get(servedBy)?.living === true
  const how = ownedBy === undefined ? 'unknown' : !served ? 'unserved' : servedBy === ownedBy ? 'owned' : 'borrowed'
  const decisions = journal
    .toSorted((a, b) => b.epoch - a.epoch)
    .flatMap(({ epoch, at, leader, moves }) =>
      moves.filter((move) => move.group === group).map((move) => ({ ...move, epoch, at, leader })),
    )
  return {
    group,
    epoch: standpoint.epoch,
    ...(servedBy !== undefined && { servedBy }),
    ...(ownedBy !== undefined && { ownedBy }),
    how,
    ...(load !== undefined && { load }),
    decisions,
  }
}
