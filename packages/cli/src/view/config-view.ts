import type { ConfigurationAnswer, ConfigurationHistory, ConfigurationVersion } from '@catchment/protocol'
import type { Palette } from './palette.ts'
import { table } from './table.ts'
import { timeAndDay } from './time.ts'

export function configurationLines({ name, current }: ConfigurationAnswer, palette: Palette): string[] {
  if (current === undefined) return [`Nothing was ever published as ${name}.`]
  const head = `${palette.bold(name)} version ${current.version}, ${byWhom(current)}, ${timeAndDay(current.at)}`
  const lines = [head]
  if (current.value !== undefined) lines.push(JSON.stringify(current.value, undefined, 2))
  if (current.problem !== undefined)
    lines.push(palette.bad(`It cannot be used, and the last good one stands: ${current.problem}`))
  return lines
}

/** The newest first. */
export function historyLines({ name, versions }: ConfigurationHistory, palette: Palette): string[] {
  if (versions.length === 0) return [`Nothing was ever published as ${name}.`]
  const rows = versions.map((version) => [
    String(version.version),
    timeAndDay(version.at),
    byWhom(version),
    version.problem === undefined ? JSON.stringify(version.value) : palette.bad(version.problem),
  ])
  return table(rows, [0])
}

function byWhom({ by }: ConfigurationVersion): string {
  return by === '' ? 'by hand' : `by ${by}`
}
