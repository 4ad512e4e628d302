import type { ExplainAnswer, JournalMove, RebalanceAnswer, TreeAnswer } from '@catchment/protocol'
import type { Palette } from './palette.ts'
import { table } from './table.ts'
import { ratio } from './tree-view.ts'
import { counted, humanLineRate, humanRate } from './units.ts'

/** Where a group is, and the decisions that brought it there, newest first. `time` shows a moment. */
export function explainLines(answer: ExplainAnswer, palette: Palette, time: (at: number) => string): string[] {
  const lines = [`${palette.bold(answer.group)} ${where(answer, palette)}`]
  if (answer.load !== undefined)
    lines.push(`load ${humanRate(answer.load.bytesPerSecond)}, ${humanLineRate(answer.load.recordsPerSecond)}`)
  if (answer.decisions.length === 0) {
    lines.push('The journal has no decision about it.')
    return lines
  }
  const rows = answer.decisions.map((decision) => [
    time(decision.at),
    `epoch ${decision.epoch}`,
    wayOf(decision),
    decision.how,
    decision.why,
    palette.dim(`by ${decision.leader}`),
  ])
  return [...lines, '', 'Why, newest first:', ...table(rows).map((line) => `  ${line}`)]
}

const namesSuggestedMax = 5

/** Names of groups that contain `group`: one of them may have been meant. */
export function namesLike(group: string, tree: TreeAnswer): readonly string[] {
  const names = new Set(tree.collectors.flatMap(({ groups }) => groups.map((one) => one.group)))
  return [...names]
    .filter((name) => name.includes(group))
    .toSorted((a, b) => a.length - b.length)
    .slice(0, namesSuggestedMax)
}

function where(answer: ExplainAnswer, palette: Palette): string {
  const { servedBy = 'no collector', ownedBy = 'no collector', epoch } = answer
  switch (answer.how) {
    case 'owned':
      return `is served by its owner ${palette.good(servedBy)} (epoch ${epoch})`
    case 'borrowed':
      return `is served by ${palette.warn(servedBy)} on loan from ${ownedBy} (epoch ${epoch})`
    case 'unserved':
      return `is ${palette.bad('served by no collector')}; its owner is ${ownedBy} (epoch ${epoch})`
    case 'unknown':
      return `is ${palette.bad('not known')}: no agent has asked for it (epoch ${epoch}); "catchment tree --all" shows all groups`
  }
}

/** What a rebalance moved, or would move. */
export function rebalanceLines(answer: RebalanceAnswer, dryRun: boolean, palette: Palette): string[] {
  const { moves, imbalanceBefore, imbalanceAfter } = answer
  if (moves.length === 0)
    return [`Nothing to move: imbalance ${ratio(imbalanceBefore)} (1 is even), epoch ${answer.epoch}`]
  const verb = dryRun ? 'would move' : answer.published ? 'moved' : 'planned to move'
  const head = `${palette.bold(`${counted(moves.length, 'group')} ${verb}`)}: imbalance ${ratio(imbalanceBefore)} → ${ratio(imbalanceAfter)}, epoch ${answer.epoch}`
  const rows = moves.map((move) => [move.group, wayOf(move), move.why])
  const lines = [head, ...table(rows).map((line) => `  ${line}`)]
  if (!dryRun && !answer.published)
    lines.push(palette.warn('Nothing was published: the tree changed meanwhile, or this assigner does not lead.'))
  return lines
}

function wayOf({ from, to }: JournalMove): string {
  return `${from ?? '(new)'} → ${to}`
}
