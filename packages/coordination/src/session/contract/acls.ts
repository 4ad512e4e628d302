// Lists of who may touch a node, as they are wanted most.

import { createHash } from 'node:crypto'
import { assertGiven, is } from './given.ts'
import type { Acl, Permission } from './nodes.ts'

export const everything: readonly Permission[] = ['read', 'write', 'create', 'delete', 'admin']
const permissionsRule = is.list(is.oneOf(...everything))
export const aclRule = is.list(is.options<Acl>({ scheme: is.text, id: is.text, permissions: permissionsRule }))

/** Everyone may do everything: what nodes get unless set otherwise. */
export const openAcl: readonly Acl[] = [{ scheme: 'world', id: 'anyone', permissions: everything }]
/** Only whom the creating session has shown to be (`addAuth`) may do anything. */
export const creatorAcl: readonly Acl[] = [{ scheme: 'auth', id: '', permissions: everything }]
export const readOnlyAcl: readonly Acl[] = [{ scheme: 'world', id: 'anyone', permissions: ['read'] }]

/** Permits a user that shows itself by `addAuth('digest', 'user:password')`. The server gets only the digest. */
export function digestAcl(user: string, password: string, permissions: readonly Permission[] = everything): Acl {
  const rules = { user: is.text, password: is.text, permissions: permissionsRule }
  assertGiven('make a digest ACL', { user, password, permissions }, rules)
  const digest = createHash('sha1').update(`${user}:${password}`).digest('base64')
  return { scheme: 'digest', id: `${user}:${digest}`, permissions }
}
