// What happened between two looks at the tree, for a log of it: one line per event.

import type { TreeAnswer } from '@catchment/protocol'
import type { Palette } from './palette.ts'
import { placesOf, type GroupPlace } from './places.ts'
import { counted } from './units.ts'

/** More moves than this are shown as numbers. */
const movesShownMax = 20

interface GroupMove {
  readonly group: string
  readonly from: string | undefined
  readonly to: string | undefined
  readonly note: string
}

/** Empty when only loads have changed. */
export function treeChanges(before: TreeAnswer, after: TreeAnswer, palette: Palette): string[] {
  return [...leadership(before, after, palette), ...collectors(before, after, palette), ...moves(before, after)]
}

function leadership(before: TreeAnswer, after: TreeAnswer, palette: Palette): string[] {
  const lines: string[] = []
  if (before.leader?.id !== after.leader?.id || before.leader?.term !== after.leader?.term)
    lines.push(
      after.leader === undefined
        ? palette.bad('no leader: nothing moves until an assigner is elected')
        : `${after.leader.id} leads, term ${after.leader.term}`,
    )
  if (before.frozen !== after.frozen)
    lines.push(after.frozen === undefined ? palette.good('thawed') : palette.bad(`frozen: ${after.frozen}`))
  return lines
}

function collectors(before: TreeAnswer, after: TreeAnswer, palette: Palette): string[] {
  const was = new Map(before.collectors.map((collector) => [collector.id, collector]))
  const is = new Set(after.collectors.map(({ id }) => id))
  const changed = after.collectors.flatMap(({ id, state, admin }) => {
    const old = was.get(id)
    const paint = state === 'gone' ? palette.bad : state === 'serving' ? palette.good : palette.warn
    const lines: string[] = []
    if (old?.state !== state) lines.push(`collector ${id} is ${paint(state)}${old === undefined ? ', new' : ''}`)
    if (old !== undefined && old.admin !== admin) lines.push(`collector ${id}: an operator wants it to ${admin}`)
    return lines
  })
  const forgotten = before.collectors.filter(({ id }) => !is.has(id)).map(({ id }) => `collector ${id} is forgotten`)
  return [...changed, ...forgotten]
}

function moves(before: TreeAnswer, after: TreeAnswer): string[] {
  const old = placesOf(before)
  const now = placesOf(after)
  const happened: GroupMove[] = []
  for (const [group, place] of now) {
    const was = old.get(group)
    if (was?.server !== place.server || was?.owner !== place.owner) happened.push(moveOf(group, was, place))
  }
  for (const [group, place] of old)
    if (!now.has(group)) happened.push({ group, from: place.server, to: undefined, note: 'forgotten' })
  if (happened.length <= movesShownMax) return happened.map(textOf)
  const sums = new Map<string, number>()
  for (const move of happened) {
    const way = textOf({ ...move, group: '' })
    sums.set(way, (sums.get(way) ?? 0) + 1)
  }
  return [...sums].map(([way, count]) => `${counted(count, 'group')}${way}`)
}

function moveOf(group: string, was: GroupPlace | undefined, place: GroupPlace): GroupMove {
  return { group, from: was?.server, to: place.server, note: noteOf(was, place) }
}

function noteOf(was: GroupPlace | undefined, place: GroupPlace): string {
  if (isLoan(place)) return `on loan from ${place.owner ?? 'no collector'}`
  if (was === undefined) return 'new'
  if (!isLoan(was)) return ''
  if (place.server === was.owner) return 'the loan has ended'
  return place.server === was.server ? 'which owns it now' : ''
}

function isLoan({ owner, server }: GroupPlace): boolean {
  return owner !== undefined && server !== undefined && owner !== server
}

function textOf({ group, from, to, note }: GroupMove): string {
  const way =
    from === to
      ? `stays at ${to ?? 'no collector'}`
      : `${from === undefined ? '' : `${from} `}→ ${to ?? 'no collector'}`
  return `${group}  ${way}${note === '' ? '' : `, ${note}`}`
}
