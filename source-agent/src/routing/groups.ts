import { dirname } from 'node:path'
import { encodeGroupName, memberIdSchema } from '@catchment/protocol'

export interface GroupTemplate {
  readonly template: string
  readonly host: string
  /** Spreads one name over `name/0` … by a hash of the host. */
  readonly shards: number | undefined
}

/** The group of the file at `path`: `{host}`, `{dir}` and `{file}` (its whole path) in the template. */
export function groupOf(template: GroupTemplate, path: string): string {
  const words: Readonly<Record<string, string>> = { host: template.host, dir: dirname(path), file: path }
  const name = template.template.replaceAll(/\{(host|dir|file)\}/g, (_, word: string) => words[word] ?? '')
  const spread = template.shards === undefined ? name : `${name}/${fnv1a(template.host) % template.shards}`
  return encodeGroupName(spread === '' || /^\/+$/.test(spread) ? template.host : spread)
}

/** Any host's name as an id: other characters become `-`. */
export function idOfHost(host: string): string {
  const id = host.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64)
  const trimmed = id.replace(/^[.-]+/, '').replace(/[.-]+$/, '')
  return memberIdSchema.safeParse(trimmed).success ? trimmed : 'host'
}

/** FNV-1a, 32 bits: stable over versions and machines. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}
