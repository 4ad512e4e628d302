// The records inside requests and answers (zookeeper.jute): stats, access lists, and the operations of transactions.

import { isUint8Array } from 'node:util/types'
import { aclRule, openAcl } from './acls.ts'
import { ZooKeeperError } from './errors.ts'
import { assertGiven, is } from './given.ts'
import type { JuteReader, JuteWriter } from './jute.ts'
import type { Acl, CreateMode, Operation, OperationResult, Permission, ReadOperation, Version, Stat } from './nodes.ts'
import type { ReadResult } from './session.ts'
import { createFlags, opcode, permissionBits, versionNumber } from './wire-numbers.ts'

/** org.apache.zookeeper.server.EphemeralType: what a TTL is packed into. */
const ttlMsMax = 2 ** 40 - 1
/** The owner of an ephemeral is a session; a container and a TTL stand there too, behind these marks. */
const noSession = /^(0{16}|80{15}|ff)/

type Creation = Extract<Operation, { op: 'create' }>

export function readStat(reader: JuteReader): Stat {
  const [czxid, mzxid, ctime, mtime] = [reader.hex(), reader.hex(), reader.long(), reader.long()]
  const [version, cversion, aversion, owner] = [reader.int(), reader.int(), reader.int(), reader.hex()]
  const [dataLength, numChildren, pzxid] = [reader.int(), reader.int(), reader.hex()]
  const ephemeralOwner = noSession.test(owner) ? undefined : owner
  const [ctimeMs, mtimeMs] = [Number(ctime), Number(mtime)]
  return {
    ...{ version, cversion, aversion, dataLength, numChildren, ephemeralOwner },
    ...{ czxid, mzxid, pzxid, ctimeMs, mtimeMs },
  }
}

export function writeAcl(writer: JuteWriter, acl: readonly Acl[]): JuteWriter {
  writer.int(acl.length)
  for (const { scheme, id, permissions } of acl) {
    writer.int(permissions.reduce((bits, permission) => bits | permissionBits[permission], 0))
    writer.string(scheme).string(id)
  }
  return writer
}

export function readAcl(reader: JuteReader): Acl[] {
  return reader.vector(() => {
    const bits = reader.int()
    return { scheme: reader.string(), id: reader.string(), permissions: permissionsOf(bits) }
  })
}

function permissionsOf(bits: number): Permission[] {
  const all: readonly Permission[] = ['read', 'write', 'create', 'delete', 'admin']
  return all.filter((permission) => (bits & permissionBits[permission]) !== 0)
}

/** Which request creates this mode. The answers of all but the plain one have a stat behind the path. */
export function creationType(mode: CreateMode = 'persistent'): number {
  if (mode === 'container') return opcode.createContainer
  return needsTtl(mode) ? opcode.createTtl : opcode.create
}

const creationRules = {
  data: is.bytes,
  mode: is.oneOf(...Object.keys(createFlags)),
  acl: is.optional(aclRule),
  ttlMs: is.optional(is.wholeNumber(1, ttlMsMax)),
}

/** Throws `bad-arguments`, also unless the mode and the TTL go together. */
export function assertCreation({ path, data, mode = 'persistent', acl, ttlMs }: Creation): void {
  if (
    isUint8Array(data) &&
    Object.hasOwn(createFlags, mode) &&
    acl === undefined &&
    ttlMs === undefined &&
    !needsTtl(mode)
  )
    return
  assertGiven(`create ${path}`, { data, mode, acl, ttlMs }, creationRules)
  if (needsTtl(mode) !== (ttlMs !== undefined))
    throw new ZooKeeperError(
      'bad-arguments',
      `create ${path}: mode ${mode} ${needsTtl(mode) ? 'needs' : 'has no'} ttlMs; correct it`,
    )
}

/** Throws `bad-arguments` unless it is bytes. */
export function assertData(attempt: string, data: unknown): void {
  if (!isUint8Array(data)) assertGiven(attempt, { data }, { data: is.bytes })
}

function needsTtl(mode: CreateMode): boolean {
  return mode.endsWith('-with-ttl')
}

export function writeCreation(writer: JuteWriter, operation: Creation, wirePath: string): void {
  const { data, mode = 'persistent', acl = openAcl, ttlMs } = operation
  writeAcl(writer.string(wirePath).buffer(data), acl).int(createFlags[mode])
  if (ttlMs !== undefined) writer.long(BigInt(ttlMs))
}

export const writeOps: readonly Operation['op'][] = ['create', 'set', 'delete', 'check']
export const readOps: readonly ReadOperation['op'][] = ['get', 'children']

/** Throws `bad-arguments` unless these are operations of these kinds. */
export function assertOperations(attempt: string, operations: unknown, ops: readonly string[]): void {
  if (Array.isArray(operations) && operations.every((operation: unknown) => isOneOf(operation, ops))) return
  const rule = is.list(is.options<Pick<Operation, 'op'>>({ op: is.oneOf(...ops) }))
  assertGiven(attempt, { operations }, { operations: rule })
}

function isOneOf(operation: unknown, ops: readonly string[]): boolean {
  return typeof operation === 'object' && operation !== null && 'op' in operation && ops.includes(String(operation.op))
}

/** What is attempted, for errors: "set /a at version 3". */
export function attemptOf(operation: Operation | ReadOperation): string {
  const attempt = `${operation.op} ${operation.path}`
  return 'version' in operation ? atVersion(attempt, operation.version) : attempt
}

export function atVersion(attempt: string, version: Version): string {
  return version === 'any' ? attempt : `${attempt} at version ${version}`
}

/** One operation of a transaction, behind its header. `wirePath` is the server's name of its path. Throws `bad-arguments`. */
export function writeOperation(writer: JuteWriter, operation: Operation, wirePath: string): void {
  const attempt = attemptOf(operation)
  switch (operation.op) {
    case 'create':
      assertCreation(operation)
      writeCreation(operationHeader(writer, creationType(operation.mode)), operation, wirePath)
      return
    case 'set':
      assertData(attempt, operation.data)
      operationHeader(writer, opcode.setData).string(wirePath).buffer(operation.data)
      writer.int(versionNumber(attempt, operation.version))
      return
    case 'delete':
      operationHeader(writer, opcode.delete).string(wirePath).int(versionNumber(attempt, operation.version))
      return
    case 'check':
      operationHeader(writer, opcode.check).string(wirePath).int(versionNumber(attempt, operation.version))
  }
}

export function operationHeader(writer: JuteWriter, type: number): JuteWriter {
  return writer.int(type).bool(false).int(-1)
}

export function endOperations(writer: JuteWriter): void {
  writer.int(-1).bool(true).int(-1)
}

/**
 * The results of a transaction, in their places. `readFailed` is given the error of one that failed: in a failed multi
 * those before the culprit have 0, it its own, those after it -2.
 */
export function readResults<T>(
  reader: JuteReader,
  readOne: (type: number, reader: JuteReader) => T,
  readFailed: (errorNumber: number, index: number) => T,
): T[] {
  const results: T[] = []
  for (;;) {
    const [type, done] = [reader.int(), reader.bool()]
    reader.int() // the error, which stands in the body too
    if (done) return results
    results.push(type === opcode.error ? readFailed(reader.int(), results.length) : readOne(type, reader))
  }
}

export function readWritten(type: number, reader: JuteReader): OperationResult {
  switch (type) {
    case opcode.create:
      return reader.string()
    case opcode.create2: {
      // a container or a node with a TTL
      const path = reader.string()
      readStat(reader)
      return path
    }
    case opcode.setData:
      return readStat(reader)
    case opcode.delete:
    case opcode.check:
      return undefined
    default:
      throw new RangeError(`a result of type ${type}`)
  }
}

export function readRead(type: number, reader: JuteReader): ReadResult {
  switch (type) {
    case opcode.getData:
      return { data: reader.buffer(), stat: readStat(reader) }
    case opcode.getChildren:
      return { names: reader.strings() }
    default:
      throw new RangeError(`a result of type ${type}`)
  }
}
