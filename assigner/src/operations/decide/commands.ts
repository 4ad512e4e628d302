// What is to be done about an operator's command, given what is. A command changes one collector's place in the cluster; what
// follows from that (moves, above all) is planned as everything else is.

import { outcomesMax, type Admin, type Command, type CommandOutcome } from '@catchment/protocol'
import type { CollectorView } from '../../tree/decide/cluster-view.ts'

export type CommandVerdict =
  /** Write what is wanted of the collector. */
  | { readonly kind: 'want'; readonly want: Admin['want']; readonly text: string }
  /** Delete the nodes of the collector, which owns nothing. */
  | { readonly kind: 'forget'; readonly text: string }
  /** Others are to take what it owns; then judge again. */
  | { readonly kind: 'take-over' }
  | { readonly kind: 'refuse'; readonly text: string }

const idsNamedMax = 20

const wanted = {
  drain: { want: 'drain', text: 'its groups go to others, and it gets none' },
  cordon: { want: 'cordon', text: 'it keeps its groups, and gets no others' },
  serve: { want: 'serve', text: 'it takes groups as others do' },
} as const

/** `obstacle`: why nothing is planned now, undefined when it is. */
export function judge(
  { verb, target }: Pick<Command, 'verb' | 'target'>,
  collectors: ReadonlyMap<string, CollectorView>,
  obstacle: string | undefined,
): CommandVerdict {
  const view = collectors.get(target)
  if (view === undefined) return { kind: 'refuse', text: unknownText(target, [...collectors.keys()]) }
  if (verb !== 'forget') return { kind: 'want', ...wanted[verb] }
  if (view.status !== undefined) return { kind: 'refuse', text: livesText(view) }
  const groups = groupsOf(view)
  if (groups === 0)
    return { kind: 'forget', text: `${target} is forgotten; what it had stored and not delivered is lost` }
  if (obstacle !== undefined) return { kind: 'refuse', text: `${target} owns ${groups} groups, and ${obstacle}` }
  const takers = [...collectors.values()].filter(({ living, admin }) => living && admin === 'serve')
  if (takers.length === 0)
    return {
      kind: 'refuse',
      text: `${target} owns ${groups} groups, and no living collector can take them: start one, or let one serve`,
    }
  return { kind: 'take-over' }
}

/** For people who named a collector that is not there. */
export function unknownText(target: string, known: readonly string[]): string {
  if (known.length === 0) return `there is no collector ${target}: no collector is known yet`
  const names = known.toSorted().slice(0, idsNamedMax).join(', ')
  return `there is no collector ${target}: the known ones are ${names}${known.length > idsNamedMax ? ', …' : ''}`
}

/** The outcomes with one more, the newest first. */
export function withOutcome(outcomes: readonly CommandOutcome[], outcome: CommandOutcome): CommandOutcome[] {
  return [outcome, ...outcomes].slice(0, outcomesMax)
}

function livesText({ id, status }: CollectorView): string {
  const where = status === undefined ? '' : ` at ${status.url}`
  return `${id} is not gone: its status stands in the tree${where}. Stop it, wait until its session has ended, then forget it`
}

function groupsOf({ list }: CollectorView): number {
  return Object.keys(list.owned).length + Object.keys(list.lent).length + Object.keys(list.borrowed).length
}
