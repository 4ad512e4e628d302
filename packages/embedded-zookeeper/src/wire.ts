// What travels between client and server, as ZooKeeper 3.8 has it (zookeeper.jute): the handshake, then requests of a
// header and a body, answered in order by a header and a body.

import type { Acl } from './acl.ts'
import { copyOf, readAcl, writeAcl } from './changes.ts'
import { code } from './errors.ts'
import { packet, type JuteReader, type JuteWriter } from './jute.ts'
import type { Outcome, WriteOperation } from './state-machine.ts'
import type { Stat, TreeEvent } from './tree.ts'

export const opcode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  checkWatches: 17,
  removeWatches: 18,
  auth: 100,
  setWatches: 101,
  setWatches2: 105,
  addWatch: 106,
  closeSession: -11,
} as const

/** The xid of what answers no request. */
const notificationXid = -1

const opcodeOfError = -1
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
  const password = copyOf(reader.buffer()) ?? Buffer.alloc(0)
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
    writer.int(to.xid).long(zxid).int(code.ok)
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
    writer.int(notificationXid).long(-1n).int(code.ok).int(type).int(syncConnected).string(path)
  })
}

/** The body of one of the five writes, alone or inside a multi; undefined when `type` is none of them. */
export function readWrite(type: number, reader: JuteReader): WriteOperation | undefined {
  switch (type) {
    case opcode.create:
    case opcode.create2: {
      const [path, data, acl] = [reader.string(), copyOf(reader.buffer()), readAcl(reader)]
      return { type: 'create', path, data, acl, mode: reader.int() }
    }
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

/** What follows the header of a write that succeeded. */
export function writeOutcome(type: number, outcome: Outcome & { ok: true }, writer: JuteWriter): void {
  if (type === opcode.create || type === opcode.create2) writer.string(outcome.path)
  if (type !== opcode.create && outcome.stat !== undefined) writeStat(writer, outcome.stat)
}

/** The outcomes of a multi whose operations have the given opcodes. */
export function writeOutcomes(types: readonly number[], outcomes: readonly Outcome[], writer: JuteWriter): void {
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.ok) {
      const type = types[at] ?? opcodeOfError
      writer.int(type).bool(false).int(code.ok)
      writeOutcome(type, outcome, writer)
    } else {
      writer.int(opcodeOfError).bool(false).int(outcome.code).int(outcome.code)
    }
  }
  writer.int(-1).bool(true).int(-1)
}

export function writeStat(writer: JuteWriter, stat: Stat): void {
  writer.long(stat.czxid).long(stat.mzxid).long(BigInt(stat.ctimeMs)).long(BigInt(stat.mtimeMs))
  writer.int(stat.version).int(stat.cversion).int(stat.aversion).long(stat.ephemeralOwner)
  writer.int(stat.dataLength).int(stat.numChildren).long(stat.pzxid)
}

export function writeChildren(writer: JuteWriter, children: ReadonlySet<string>): void {
  writer.vector(children, children.size, (name) => writer.string(name))
}

export function writeAclAndStat(writer: JuteWriter, acl: readonly Acl[], stat: Stat): void {
  writeStat(writeAcl(writer, acl), stat)
}

export function readAuth(reader: JuteReader): { readonly scheme: string; readonly proof: Buffer } {
  reader.int() // the packet's type: always 0, never looked at
  return { scheme: reader.string(), proof: reader.buffer() ?? Buffer.alloc(0) }
}
