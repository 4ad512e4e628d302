import { errorCode } from '@catchment/zookeeper-wire'
import { RequestError } from './errors.ts'

/** The parent of a path; of `/` it is `/` itself, as in ZooKeeper. Throws badArguments without a slash. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  if (slash === -1 || path.includes('\0')) throw new RequestError(errorCode.badArguments, `no path: ${path}`)
  return slash === 0 ? '/' : path.slice(0, slash)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The paths above, from the parent to the root. */
export function ancestorsOf(path: string): string[] {
  const ancestors: string[] = []
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
    ancestors.push(path.slice(0, slash))
  if (path !== '/') ancestors.push('/')
  return ancestors
}

/** The rule of org.apache.zookeeper.common.PathUtils, by UTF-16 unit: nothing beyond the basic plane, as in Java. */
function isForbidden(unit: number): boolean {
  const control = unit <= 0x1f || (unit >= 0x7f && unit <= 0x9f)
  const surrogateOrPrivate = unit >= 0xd800 && unit <= 0xf8ff
  return control || surrogateOrPrivate || unit >= 0xfff0
}

/** Throws badArguments unless `path` may name a node. */
export function validatePath(path: string): void {
  const rule = brokenRule(path)
  if (rule !== undefined) throw new RequestError(errorCode.badArguments, `path ${JSON.stringify(path)} ${rule}`)
}

function brokenRule(path: string): string | undefined {
  if (!path.startsWith('/')) return 'must start with /'
  if (path === '/') return undefined
  if (path.endsWith('/')) return 'must not end with /'
  for (let at = 0; at < path.length; at += 1)
    if (isForbidden(path.charCodeAt(at))) return 'has a character that paths may not have'
  for (const part of path.slice(1).split('/')) {
    if (part === '') return 'has an empty part'
    if (part === '.' || part === '..') return 'is relative'
  }
  return undefined
}
