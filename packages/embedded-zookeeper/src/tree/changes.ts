// A transaction is what the log holds: a zxid, a time, and changes that are decided. A refused write is a transaction
// without changes, because ZooKeeper gives it a zxid too, and a zxid that a client has seen may never come again.

import { type AclEntry, JuteError, JuteReader, JuteWriter, readAcl, writeAcl } from '@catchment/zookeeper-wire'

export type NodeChange =
  | {
      readonly type: 'create'
      readonly path: string
      readonly data: Buffer | null
      readonly acl: readonly AclEntry[]
      readonly ephemeralOwner: bigint
    }
  | { readonly type: 'delete'; readonly path: string }
  | { readonly type: 'setData'; readonly path: string; readonly data: Buffer | null; readonly version: number }
  | { readonly type: 'setAcl'; readonly path: string; readonly acl: readonly AclEntry[]; readonly version: number }

type SessionChange =
  | { readonly type: 'openSession'; readonly id: bigint; readonly password: Buffer; readonly timeoutMs: number }
  /** Deletes the session's ephemerals too. */
  | { readonly type: 'closeSession'; readonly id: bigint }

export type Change = NodeChange | SessionChange

export interface Transaction {
  readonly zxid: bigint
  readonly timeMs: number
  readonly changes: readonly Change[]
}

const tag = { create: 1, delete: 2, setData: 3, setAcl: 4, openSession: 5, closeSession: 6 } as const

export function encodeTransaction({ zxid, timeMs, changes }: Transaction): Buffer {
  const writer = new JuteWriter().long(zxid).long(BigInt(timeMs))
  writer.vector(changes, changes.length, (change) => {
    encodeChange(writer.int(tag[change.type]), change)
  })
  return writer.end()
}

function encodeChange(writer: JuteWriter, change: Change): void {
  switch (change.type) {
    case 'create':
      writeAcl(writer.string(change.path).buffer(change.data), change.acl).long(change.ephemeralOwner)
      return
    case 'delete':
      writer.string(change.path)
      return
    case 'setData':
      writer.string(change.path).buffer(change.data).int(change.version)
      return
    case 'setAcl':
      writeAcl(writer.string(change.path), change.acl).int(change.version)
      return
    case 'openSession':
      writer.long(change.id).buffer(change.password).int(change.timeoutMs)
      return
    case 'closeSession':
      writer.long(change.id)
      return
  }
}

/** Throws JuteError when the bytes are no transaction. */
export function decodeTransaction(bytes: Buffer): Transaction {
  const reader = new JuteReader(bytes)
  const zxid = reader.long()
  const timeMs = Number(reader.long())
  const changes = reader.vector(() => decodeChange(reader))
  return { zxid, timeMs, changes }
}

function decodeChange(reader: JuteReader): Change {
  const type = reader.int()
  switch (type) {
    case tag.create: {
      const [path, data, acl] = [reader.string(), copyOf(reader.buffer()), readAcl(reader)]
      return { type: 'create', path, data, acl, ephemeralOwner: reader.long() }
    }
    case tag.delete:
      return { type: 'delete', path: reader.string() }
    case tag.setData:
      return { type: 'setData', path: reader.string(), data: copyOf(reader.buffer()), version: reader.int() }
    case tag.setAcl:
      return { type: 'setAcl', path: reader.string(), acl: readAcl(reader), version: reader.int() }
    case tag.openSession: {
      const [id, password] = [reader.long(), reader.bytes()]
      return { type: 'openSession', id, password, timeoutMs: reader.int() }
    }
    case tag.closeSession:
      return { type: 'closeSession', id: reader.long() }
    default:
      throw new JuteError(`a change of the unknown type ${type}`)
  }
}

/** What is kept must not pin the packet or the file it came in. */
export function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}
