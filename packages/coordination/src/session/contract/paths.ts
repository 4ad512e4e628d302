// What may name a node. As org.apache.zookeeper.common.PathUtils: control characters, surrogates and private use are refused
// by every server.

const part = '(?!\\.{1,2}(?:/|$))[^/\\0-\\x1f\\x7f-\\x9f\\ud800-\\uf8ff\\ufff0-\\uffff]+'
const paths = new RegExp(`^(?:/|(?:/${part})+)$`)
const parts = new RegExp(`^${part}$`)

export function isPath(path: string): boolean {
  return paths.test(path)
}

/** One part of a path. */
export function isName(name: string): boolean {
  return parts.test(name)
}
