// What a sweep of the tree finds to be done: collectors that have been gone for long and own nothing are to be forgotten, and
// what was kept for people goes when it is old or too much.

import { journalEntriesMax, type Absences, type Command, type CommandOutcome } from '@catchment/protocol'
import { hasGroups, type CollectorView } from '../../tree/decide/cluster-view.ts'

/** By then no operator asks any more what became of a command. */
export const outcomeKeptMs = 30 * 24 * 60 * 60_000
/** Entries of the journal that one sweep deletes at most. */
const journalDeletionsMax = 1_000

/**
 * Since when which collectors have been without a status, at `now` (ms since 1970), and which of them have been so for
 * `forgetAfterMs` and own nothing.
 */
export function absent(
  collectors: ReadonlyMap<string, Pick<CollectorView, 'status' | 'list'>>,
  known: Absences,
  { now, forgetAfterMs }: { readonly now: number; readonly forgetAfterMs: number },
): { readonly absences: Absences; readonly forgotten: readonly string[] } {
  const absences: Absences = {}
  const forgotten: string[] = []
  for (const [id, { status, list }] of collectors) {
    if (status !== undefined) continue
    const since = Math.min(known[id] ?? now, now)
    absences[id] = since
    if (!hasGroups(list) && now - since >= forgetAfterMs) forgotten.push(id)
  }
  return { absences, forgotten }
}

/** A command to forget each, except where one waits already. */
export function forgettings(
  ids: readonly string[],
  waiting: readonly Command[],
  given: { readonly slotMs: number; readonly now: number },
): Command[] {
  const asked = new Set(waiting.filter(({ verb }) => verb === 'forget').map(({ target }) => target))
  return ids
    .filter((id) => !asked.has(id))
    .map((id) => ({
      id: `sweep-${given.slotMs}-${id.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`,
      ...{ verb: 'forget', target: id, by: 'housekeeping', at: given.now },
    }))
}

export function youngOutcomes(outcomes: readonly CommandOutcome[], now: number): readonly CommandOutcome[] {
  return outcomes.filter(({ doneAt }) => now - doneAt < outcomeKeptMs)
}

/** The oldest names past the bound: a leader that died between its publish and its trimming left them. */
export function surplusJournal(names: readonly string[]): string[] {
  return names.toSorted().slice(0, Math.min(journalDeletionsMax, Math.max(0, names.length - journalEntriesMax)))
}
