// What every benchmark shares: its two flags, its figures, and how they are shown.

/** One figure. `bar`: what it should be, null where there is none; `holds`: whether it is, null where there is no bar. */
export interface Figure {
  readonly bench: string
  readonly case: string
  readonly system: string
  readonly metric: string
  readonly value: number
  readonly unit: string
  readonly bar: number | null
  readonly holds: boolean | null
}

export const quick = process.argv.includes('--quick')
const json = process.argv.includes('--json')

const figures: Figure[] = []

/** Keeps a figure; with --json it is printed at once. `bar` is a minimum or a maximum. */
export function report(figure: Omit<Figure, 'bar' | 'holds'>, bar?: { min: number } | { max: number }): void {
  const rounded = Number(figure.value.toPrecision(4))
  const [limit, holds] =
    bar === undefined ? [null, null] : 'min' in bar ? [bar.min, rounded >= bar.min] : [bar.max, rounded <= bar.max]
  const whole = { ...figure, value: rounded, bar: limit, holds }
  figures.push(whole)
  if (json) console.log(JSON.stringify(whole))
}

/** What happens while it happens; on standard error with --json. */
export function progress(text: string): void {
  if (json) console.error(text)
  else console.log(text)
}

/** The table of all figures, for people. */
export function finish(): void {
  if (json) return
  const rows = [
    ['case', 'system', 'metric', 'value', 'unit', 'bar'],
    ...figures.map((figure) => [
      figure.case,
      figure.system,
      figure.metric,
      String(figure.value),
      figure.unit,
      figure.bar === null ? '' : `${figure.bar} ${figure.holds === true ? 'holds' : 'missed'}`,
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  console.log()
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The nearest-rank quantile. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN
}
