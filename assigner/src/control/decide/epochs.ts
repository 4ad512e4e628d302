// Epochs only grow, also past a ZooKeeper that lost its data: a tree made from nothing begins at 0, while collectors have applied
// lists of before, and agents know their epochs; both refuse what is older. So the next epoch is above the manifest's, above
// what every collector says it has applied, and above what agents report that know more than the tree. And a
// collector that still goes by a list newer than the tree's gets the tree's list in the next epoch, at once: until then it
// serves as stale.

/** The names of the journal's entries have 12 digits. */
const epochMax = 999_999_999_999
/** How far ahead of the tree an agent's word counts: ten publishes a second for three years. */
export const epochLeapMax = 1_000_000_000

interface KnownCollector {
  readonly list: { readonly epoch: number }
  readonly status: { readonly appliedEpoch: number } | undefined
  readonly living: boolean
}

/** Whether an agent's word that it knows `reported` is to be believed of a tree at `epoch`. */
export function isCredible(reported: number, epoch: number): boolean {
  return reported > epoch && reported <= Math.min(epoch + epochLeapMax, epochMax)
}

/** The newest epoch that anyone is known to know; the next one is above it. `reported`: by agents, 0 for none. */
export function newestKnown(manifestEpoch: number, collectors: Iterable<KnownCollector>, reported: number): number {
  let newest = Math.max(manifestEpoch, reported)
  for (const { status } of collectors) newest = Math.max(newest, appliedEpoch(status))
  return newest
}

/**
 * The living collectors whose lists are to be written again, as they are, with the next epoch: what they have applied, or
 * what agents know, is newer than what stands in the tree.
 */
export function outlivedLists(collectors: ReadonlyMap<string, KnownCollector>, reported: number): string[] {
  return [...collectors]
    .filter(([, { living, list, status }]) => living && Math.max(appliedEpoch(status), reported) > list.epoch)
    .map(([id]) => id)
}

function appliedEpoch(status: KnownCollector['status']): number {
  return Math.min(status?.appliedEpoch ?? 0, epochMax - 1)
}
