import type { Command, CommandOutcome, CommandsAnswer } from '@catchment/protocol'
import type { Palette } from './palette.ts'
import { table } from './table.ts'
import { timeAndDay } from './time.ts'
import { counted } from './units.ts'

export function waitingLine({ id, verb, target }: Command): string {
  return `${verb} ${target} waits for the leader (command ${id}): "catchment commands" shows its outcome`
}

export function outcomeLine({ verb, target, text }: CommandOutcome, palette: Palette): string {
  return `${palette.bold(`${verb} ${target}`)}: ${text}`
}

/** What waits, the next first, and the last outcomes, the newest first. */
export function commandsLines(answer: CommandsAnswer, palette: Palette): string[] {
  const { waiting, waitingCount, outcomes } = answer
  const lines =
    waitingCount === 0
      ? ['No command waits.']
      : [palette.warn(`${counted(waitingCount, 'command')} waiting, the next first:`)]
  lines.push(...table(waiting.map((command) => ['', timeAndDay(command.at), ...whatIsAsked(command)])))
  if (waitingCount > waiting.length) lines.push(palette.dim(`  and ${waitingCount - waiting.length} more`))
  if (outcomes.length === 0) return lines
  const rows = outcomes.map((outcome) => [
    '',
    timeAndDay(outcome.doneAt),
    ...whatIsAsked(outcome),
    outcome.outcome === 'done' ? palette.good(outcome.outcome) : palette.bad(outcome.outcome),
    outcome.text,
  ])
  return [...lines, '', 'The last outcomes, the newest first:', ...table(rows)]
}

function whatIsAsked({ verb, target, by, id }: Command): string[] {
  return [`${verb} ${target}`, `by ${by}`, `command ${id}`]
}
