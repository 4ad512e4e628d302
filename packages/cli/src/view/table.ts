import { stripVTControlCharacters } from 'node:util'

/** The width of `text` on a terminal; colours take none. */
export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}

/**
 * Rows as lines, every column as wide as its widest cell, two spaces between them, nothing trailing. Columns named in
 * `right` are aligned to the right.
 */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, widthOf(cell))
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const gap = ' '.repeat((widths[column] ?? 0) - widthOf(cell))
        return right.includes(column) ? gap + cell : cell + gap
      })
      .join('  ')
      .trimEnd(),
  )
}
