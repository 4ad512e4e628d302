/** How a word is marked; without colours it stays as it is. */
export interface Palette {
  readonly good: (text: string) => string
  readonly warn: (text: string) => string
  readonly bad: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

const plain = (text: string): string => text
const ansi =
  (on: number, off: number) =>
  (text: string): string =>
    text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`

const coloured: Palette = {
  good: ansi(32, 39),
  warn: ansi(33, 39),
  bad: ansi(31, 39),
  dim: ansi(2, 22),
  bold: ansi(1, 22),
}

export const noColours: Palette = { good: plain, warn: plain, bad: plain, dim: plain, bold: plain }

export function paletteOf(colours: boolean): Palette {
  return colours ? coloured : noColours
}
