// Numbers as people read them.

/** Sizes in powers of 1024: `1.2 GiB`. */
export function humanBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'])
}

/** Rates in powers of 1000: `1.2 MB/s`. */
export function humanRate(bytesPerSecond: number): string {
  return scaled(bytesPerSecond, 1000, ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s'])
}

/** `1,234`, and past 100,000 `123 k`. */
export function humanCount(count: number): string {
  if (count < 100_000) return Math.round(count).toLocaleString('en-US')
  return scaled(count, 1000, ['', 'k', 'M', 'G'])
}

/** Lines a second: `0.4 lines/s`, `1,234 lines/s`. */
export function humanLineRate(linesPerSecond: number): string {
  const shown = linesPerSecond < 9.95 ? trimmed(linesPerSecond) : humanCount(linesPerSecond)
  return `${shown} lines/s`
}

/** `480 ms`, `3 s`, `2 min`, `5 h`, `3 d`. */
export function humanDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 120) return `${seconds < 10 ? trimmed(seconds) : Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`
}

/** `1 group`, `2 groups`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let power = 0
  let rest = value
  while (rest >= base * 0.9995 && power < units.length - 1) {
    rest /= base
    power += 1
  }
  const shown = power === 0 || rest >= 99.95 ? String(Math.round(rest)) : trimmed(rest)
  return `${shown} ${units[power] ?? ''}`.trimEnd()
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '')
}
