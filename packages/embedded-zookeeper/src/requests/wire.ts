// What travels between client and server, as ZooKeeper 3.8 has it (zookeeper.jute): the handshake, then requests of a
// header and a body, answered in order by a header and a body.

import type { JuteReader, JuteWriter } from '@catchment/zookeeper-wire'
import { type AclEntry, errorCode, notificationXid, opcode, packet, readAcl, writeAcl } from '@catchment/zookeeper-wire'
import { copyOf } from '../tree/changes.ts'
import type { NodeStat } from '../tree/node.ts'
import type { WriteOperation } from '../tree/operations.ts'
import type { OperationOutcome } from '../tree/state-machine.ts'
import type { TreeEvent } from '../tree/tree.ts'

const syncConnected = 3

export interface ConnectRequest {
  readonly lastZxidSeen: bigint
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Buffer
  /** Whether the client knows read-only servers: then the answer has a field more. */
  readonly knowsReadOnly: boolean
}

export function readConnectRequest(reader: JuteReader): ConnectRequest {
  reader.int() // protocol version: always 0, never looked at
  const [lastZxidSeen, timeoutMs, sessionId] = [reader.long(), reader.int(), reader.long()]
  const password = reader.bytes()
  return { lastZxidSeen, timeoutMs, sessionId, password, knowsReadOnly: reader.remaining > 0 }
}

export interface ConnectResponse {
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Buffer
}

/** What a client gets whose session has expired. */
export const expired: ConnectResponse = { timeoutMs: 0, sessionId: 0n, password: Buffer.alloc(16) }

export function connectResponse(response: ConnectResponse, knowsReadOnly: boolean): Buffer {
  return packet((writer) => {
    writer.int(0).int(response.timeoutMs).long(response.sessionId).buffer(response.password)
    if (knowsReadOnly) writer.bool(false)
  })
}

export interface Header {
  readonly xid: number
  readonly type: number
}

export function readHeader(reader: JuteReader): Header {
  return { xid: reader.int(), type: reader.int() }
}

export function reply(to: Header, zxid: bigint, body?: (writer: JuteWriter) => void): Buffer {
  return packet((writer) => {
    writer.int(to.xid).long(zxid).int(errorCode.ok)
    body?.(writer)
  })
}

export function failure(to: Header, zxid: bigint, error: number): Buffer {
  return packet((writer) => {
    writer.int(to.xid).long(zxid).int(error)
  })
}

export function notification({ type, path }: Pick<TreeEvent, 'type' | 'path'>): Buffer {
  return packet((writer) => {
    writer.int(notificationXid).long(-1n).int(errorCode.ok).int(type).int(syncConnected).string(path)
  })
}

/** The body of one of the writes, alone or inside a multi; undefined when `type` is none of them. */
export function readWrite(type: number, reader: JuteReader): WriteOperation | undefined {
  switch (type) {
    case opcode.create:
    case opcode.create2:
    case opcode.createContainer:
    case opcode.createTtl:
      return readCreate(type, reader)
    case opcode.delete:
      return { type: 'delete', path: reader.string(), version: reader.int() }
    case opcode.setData: {
      const [path, data] = [reader.string(), copyOf(reader.buffer())]
      return { type: 'setData', path, data, version: reader.int() }
    }
    case opcode.setAcl:
      return { type: 'setAcl', path: reader.string(), acl: readAcl(reader), version: reader.int() }
    case opcode.check:
      return { type: 'check', path: reader.string(), version: reader.int() }
    default:
      return undefined
  }
}

function readCreate(type: number, reader: JuteReader): WriteOperation {
  const [path, data, acl] = [reader.string(), copyOf(reader.buffer()), readAcl(reader)]
  const mode = reader.int()
  const as = type === opcode.createTtl ? 'ttl' : type === opcode.createContainer ? 'container' : 'node'
  return { type: 'create', path, data, acl, as, mode, ttlMs: as === 'ttl' ? reader.long() : -1n }
}

const createsWithStat: ReadonlySet<number> = new Set([opcode.create2, opcode.createContainer, opcode.createTtl])

/** What follows the header of a write that succeeded. */
export function writeOutcome(type: number, outcome: OperationOutcome & { ok: true }, writer: JuteWriter): void {
  if (type === opcode.create || createsWithStat.has(type)) writer.string(outcome.path)
  if (type !== opcode.create && outcome.stat !== undefined) writeStat(writer, outcome.stat)
}

export function writeStat(writer: JuteWriter, stat: NodeStat): void {
  writer.long(stat.czxid).long(stat.mzxid).long(BigInt(stat.ctimeMs)).long(BigInt(stat.mtimeMs))
  writer.int(stat.version).int(stat.cversion).int(stat.aversion).long(stat.ephemeralOwner)
  writer.int(stat.dataLength).int(stat.numChildren).long(stat.pzxid)
}

export function writeChildren(writer: JuteWriter, children: ReadonlySet<string>): void {
  writer.vector(children, children.size, (name) => writer.string(name))
}

export function writeAclAndStat(writer: JuteWriter, acl: readonly AclEntry[], stat: NodeStat): void {
  writeStat(writeAcl(writer, acl), stat)
}

export function readAuth(reader: JuteReader): { readonly scheme: string; readonly proof: Buffer } {
  reader.int() // the packet's type: always 0, never looked at
  return { scheme: reader.string(), proof: reader.bytes() }
}
