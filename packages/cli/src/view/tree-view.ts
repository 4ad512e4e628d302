// The assignment tree as people see it:
//
//   /logs  epoch 12  led by a1, term 3  policy local  imbalance 1.10 (1 is even)
//   ├─ c1  serving  1.2 MB/s  310 lines/s  pressure 1.1  2 groups
//   │  ├─ app.log  1.0 MB/s  300 lines/s
//   │  └─ db.log    200 kB/s  10 lines/s  borrowed from c2
//   └─ c2  gone     …

import type { Load, TreeAnswer, TreeCollector, TreeGroup } from '@catchment/protocol'
import type { Palette } from './palette.ts'
import { table } from './table.ts'
import { counted, humanCount, humanDuration, humanLineRate, humanRate } from './units.ts'

/** An answer older than this is called stale: the assigner has not heard of the tree for so long. */
const staleAfterMs = 5_000

export interface TreeLook {
  readonly palette: Palette
  /** How many groups are shown below each collector, the heaviest ones. */
  readonly groupsMax: number
}

export function treeLines(tree: TreeAnswer, { palette, groupsMax }: TreeLook): string[] {
  const shown = tree.collectors.map((collector) => heaviest(collector.groups, groupsMax))
  const groupRows = shown.map((groups) => groups.map((group) => groupCells(group, palette)))
  const groupLines = table(groupRows.flat(), [1, 2])
  const collectorLines = table(
    tree.collectors.map((collector) => collectorCells(collector, palette)),
    [2, 3],
  )
  const lines = [...headLines(tree, palette)]
  let next = 0
  for (const [index, collector] of tree.collectors.entries()) {
    const last = index === tree.collectors.length - 1
    lines.push(`${last ? '└─' : '├─'} ${collectorLines[index] ?? ''}`)
    const count = shown[index]?.length ?? 0
    const own = groupLines.slice(next, next + count)
    next += count
    const hidden = collector.groups.length - count
    if (hidden > 0) own.push(palette.dim(`and ${humanCount(hidden)} more`))
    for (const [at, line] of own.entries())
      lines.push(`${last ? '   ' : '│  '}${at === own.length - 1 ? '└─' : '├─'} ${line}`)
  }
  if (tree.collectors.length === 0) lines.push('└─ no collector has ever joined: start one with "catchment collector"')
  return lines
}

/** How many groups below each collector fit `rows` lines; at least one. */
export function groupsThatFit(tree: TreeAnswer, rows: number): number {
  const taken = 4 + 2 * tree.collectors.length // the head, a line per collector, an "and more" each
  return Math.max(1, Math.floor((rows - taken) / Math.max(1, tree.collectors.length)))
}

function headLines(tree: TreeAnswer, palette: Palette): string[] {
  const leader = tree.leader
  const leads = leader === undefined ? palette.bad('no leader') : `led by ${leader.id}, term ${leader.term}`
  const standbys = tree.assigners.filter((assigner) => !assigner.leads).length
  const parts = [
    palette.bold(tree.root),
    `epoch ${tree.epoch}`,
    leads + (standbys === 0 ? '' : ` (${counted(standbys, 'standby', 'standbys')})`),
    `policy ${tree.redistribution}`,
    `imbalance ${ratio(tree.imbalance)} (1 is even)`,
  ]
  const lines = [parts.join('  ')]
  if (tree.frozen !== undefined) lines.push(palette.bad(`frozen: ${tree.frozen}`))
  for (const { what, todo } of tree.problems ?? []) lines.push(palette.bad(`problem: ${what}: ${todo}`))
  if (tree.ageMs > staleAfterMs)
    lines.push(palette.warn(`stale: ${tree.answeredBy} last heard of the tree ${humanDuration(tree.ageMs)} ago`))
  return lines
}

function collectorCells(collector: TreeCollector, palette: Palette): string[] {
  const paint = collector.state === 'gone' ? palette.bad : collector.state === 'serving' ? palette.good : palette.warn
  const admin = collector.admin === 'serve' ? '' : `, ${collector.admin}`
  return [
    palette.bold(collector.id),
    paint(collector.state) + palette.warn(admin),
    ...loadCells(collector.state === 'gone' ? undefined : collector.load),
    collector.pressure === undefined ? '' : `pressure ${ratio(collector.pressure)}`,
    counted(collector.groups.length, 'group'),
  ]
}

function groupCells(group: TreeGroup, palette: Palette): string[] {
  const peer = group.peer ?? 'another'
  const marks = {
    owned: '',
    borrowed: palette.warn(`borrowed from ${peer}, epoch ${group.since}`),
    lent: palette.dim(`lent to ${peer}, epoch ${group.since}`),
  }
  return [group.group, ...loadCells(group.load), marks[group.how]]
}

function loadCells(load: Load | undefined): [string, string] {
  if (load === undefined) return ['-', '']
  return [humanRate(load.bytesPerSecond), humanLineRate(load.recordsPerSecond)]
}

/** A pressure: 1 is a fair share of the load. */
export function ratio(value: number): string {
  return value.toFixed(2)
}

/** The heaviest `max` groups, borrowed and lent ones before owned ones of the same load; then by name. */
function heaviest(groups: readonly TreeGroup[], max: number): readonly TreeGroup[] {
  const weight = (group: TreeGroup): number => group.load?.bytesPerSecond ?? 0
  const away = (group: TreeGroup): number => (group.how === 'owned' ? 1 : 0)
  const kept = groups
    .toSorted((a, b) => weight(b) - weight(a) || away(a) - away(b) || compare(a.group, b.group))
    .slice(0, max)
  return kept.toSorted((a, b) => compare(a.group, b.group))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
