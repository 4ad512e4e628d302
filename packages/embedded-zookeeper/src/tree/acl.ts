import { createHash } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import { type AclEntry, errorCode, type Identity, permission } from '@catchment/zookeeper-wire'
import { RequestError } from './errors.ts'

const allPermissions = 31

export const openAcl: readonly AclEntry[] = [{ permissions: allPermissions, scheme: 'world', id: 'anyone' }]
export const readOnlyAcl: readonly AclEntry[] = [{ permissions: permission.read, scheme: 'world', id: 'anyone' }]

/** The identity that an auth packet proves, or undefined when its scheme is unknown. */
export function authenticate(scheme: string, proof: Buffer, address: string): Identity | undefined {
  if (scheme === 'ip') return { scheme, id: address }
  if (scheme !== 'digest') return undefined
  const [user = ''] = proof.toString('utf8').split(':', 1)
  return { scheme, id: `${user}:${createHash('sha1').update(proof).digest('base64')}` }
}

/**
 * The ACL as it is stored: duplicates are merged, then `auth` becomes the caller's identities.
 * Throws invalidAcl when nothing is left or an entry names no one.
 */
export function settleAcl(acl: readonly AclEntry[], caller: readonly Identity[]): readonly AclEntry[] {
  const distinct = new Map(acl.map((entry) => [`${entry.permissions} ${entry.scheme} ${entry.id}`, entry]))
  if (distinct.size === 0) throw new RequestError(errorCode.invalidAcl, 'an ACL has at least one entry')
  const result = [...distinct.values()].flatMap((entry) => settleEntry(entry, caller))
  const [only] = result
  return result.length === 1 && only?.scheme === 'world' && only.permissions === allPermissions ? openAcl : result
}

function settleEntry(entry: AclEntry, caller: readonly Identity[]): AclEntry[] {
  if (entry.scheme === 'auth') {
    const shown = caller.filter((identity) => identity.scheme !== 'ip')
    if (shown.length === 0) throw new RequestError(errorCode.invalidAcl, 'scheme auth needs an authenticated caller')
    return shown.map((identity) => ({ permissions: entry.permissions, ...identity }))
  }
  if (!isValid(entry)) throw new RequestError(errorCode.invalidAcl, `no one is ${entry.scheme}:${entry.id}`)
  return [entry]
}

function isValid({ scheme, id }: AclEntry): boolean {
  if (scheme === 'world') return id === 'anyone'
  if (scheme === 'digest') return /^[^:]*:[^:]+:*$/.test(id) // Java's split(":") gives two parts
  return scheme === 'ip' && network(id) !== undefined
}

/** Throws noAuth unless the caller has one of `permissions`, a set of bits. */
export function demand(acl: readonly AclEntry[], permissions: number, caller: readonly Identity[]): void {
  if (!allows(acl, permissions, caller)) throw new RequestError(errorCode.noAuth, 'the ACL of the node forbids this')
}

export function allows(acl: readonly AclEntry[], permissions: number, caller: readonly Identity[]): boolean {
  if (acl === openAcl) return true
  return acl.some((entry) => (entry.permissions & permissions) !== 0 && isMeant(entry, caller))
}

function isMeant(entry: AclEntry, caller: readonly Identity[]): boolean {
  if (entry.scheme === 'world') return true
  return caller.some(
    (identity) =>
      identity.scheme === entry.scheme &&
      (entry.scheme === 'ip' ? network(entry.id)?.check(identity.id, familyOf(identity.id)) : identity.id === entry.id),
  )
}

/** What a caller who may not administer a node sees of its ACL: the digests of others are secret. */
export function withoutDigests(acl: readonly AclEntry[]): readonly AclEntry[] {
  return acl.map((entry) =>
    entry.scheme === 'digest' ? { ...entry, id: `${entry.id.split(':', 1)[0] ?? ''}:x` } : entry,
  )
}

function network(id: string): BlockList | undefined {
  const [address = '', bits, ...rest] = id.split('/')
  if (isIP(address) === 0 || rest.length > 0) return undefined
  const whole = isIP(address) === 4 ? 32 : 128
  const prefix = bits === undefined ? whole : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
  if (prefix < 0 || prefix > whole) return undefined
  const list = new BlockList()
  list.addSubnet(address, prefix, familyOf(address))
  return list
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
