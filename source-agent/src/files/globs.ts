import { isAbsolute, resolve } from 'node:path'
import picomatch from 'picomatch'

/** What one `--follow` asks for: where to begin to look, how deep, and which paths match. */
export interface Glob {
  readonly base: string
  /** Levels of directories below `base` that can hold a match; 0 is `base` itself. */
  readonly depthMax: number
  readonly matches: (path: string) => boolean
}

/** No match lies deeper below a glob's base: a loop of symbolic links ends here at the latest. */
const directoryDepthMax = 32

/** A relative glob is taken below `cwd`. */
export function parseGlob(text: string, cwd: string): Glob {
  const absolute = isAbsolute(text) ? text : `${cwd}/${text}`
  const { base, glob } = picomatch.scan(absolute)
  if (glob === '') {
    const path = resolve(absolute)
    return { base: resolve(path, '..'), depthMax: 0, matches: (candidate) => candidate === path }
  }
  const matches = picomatch(absolute, { dot: true })
  const depthMax = glob.includes('**') ? directoryDepthMax : glob.split('/').length - 1
  return { base: resolve(base === '' ? '/' : base), depthMax, matches }
}

/** True for the paths that `excluded` (paths, folders or globs) covers. */
export function excluder(excluded: readonly string[], cwd: string): (path: string) => boolean {
  const tests = excluded.map((text) => {
    const absolute = isAbsolute(text) ? text : `${cwd}/${text}`
    if (picomatch.scan(absolute).glob !== '') {
      const matches = picomatch(absolute, { dot: true })
      return (path: string) => matches(path)
    }
    const folder = resolve(absolute)
    return (path: string) => path === folder || path.startsWith(`${folder}/`)
  })
  return (path) => tests.some((test) => test(path))
}
