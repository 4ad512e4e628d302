import { dirname } from 'node:path'
import { fnv1a32 } from '@catchment/hashing'
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
  const spread = template.shards === undefined ? name : `${name}/${fnv1a32(template.host) % template.shards}`
  return encodeGroupName(spread === '' || /^\/+$/.test(spread) ? template.host : spread)
}

/** Any host's name as an id: other characters become `-`. */
export function idOfHost(host: string): string {
  const id = host.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64)
  const trimmed = id.replace(/^[.-]+/, '').replace(/[.-]+$/, '')
  return memberIdSchema.safeParse(trimmed).success ? trimmed : 'host'
}
