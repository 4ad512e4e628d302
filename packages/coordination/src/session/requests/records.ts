// The records inside requests and answers (zookeeper.jute): stats, access lists, and the operations of transactions.

import { isUint8Array } from 'node:util/types'
import {
  createFlags,
  opcode,
  permission,
  readAcl as readEntries,
  readParts,
  writeAcl as writeEntries,
  writePartHeader,
  type JuteReader,
  type JuteWriter,
} from '@catchment/zookeeper-wire'
import { aclRule, everything, openAcl } from '../contract/acls.ts'
import { ZooKeeperError } from '../contract/errors.ts'
import { assertGiven, is } from '../contract/given.ts'
import type {
  Acl,
  CreateMode,
  Operation,
  OperationResult,
  ReadOperation,
  Version,
  Stat,
  Creation,
} from '../contract/nodes.ts'
import type { ReadResult } from '../contract/session.ts'

/** org.apache.zookeeper.server.EphemeralType: what a TTL is packed into. */
const ttlMsMax = 2 ** 40 - 1
/** The owner of an ephemeral is a session; a container and a TTL stand there too, marked so. */
const noSession = /^(0{16}|80{15}|ff)/

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
  const entries = acl.map(({ scheme, id, permissions }) => {
    return { scheme, id, permissions: permissions.reduce((bits, one) => bits | permission[one], 0) }
  })
  return writeEntries(writer, entries)
}

export function readAcl(reader: JuteReader): Acl[] {
  return readEntries(reader).map(({ scheme, id, permissions: bits }) => {
    return { scheme, id, permissions: everything.filter((one) => (bits & permission[one]) !== 0) }
  })
}

/** Which request creates this mode. The answers of all but the plain one have a stat after the path. */
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

/** One operation of a transaction, after its header. `wirePath` is the server's name of its path. Throws `bad-arguments`. */
export function writeOperation(writer: JuteWriter, operation: Operation, wirePath: string): void {
  const attempt = attemptOf(operation)
  switch (operation.op) {
    case 'create':
      assertCreation(operation)
      writeCreation(writePartHeader(writer, creationType(operation.mode), -1), operation, wirePath)
      return
    case 'set':
      assertData(attempt, operation.data)
      writePartHeader(writer, opcode.setData, -1).string(wirePath).buffer(operation.data)
      writer.int(versionNumber(attempt, operation.version))
      return
    case 'delete':
      writePartHeader(writer, opcode.delete, -1).string(wirePath).int(versionNumber(attempt, operation.version))
      return
    case 'check':
      writePartHeader(writer, opcode.check, -1).string(wirePath).int(versionNumber(attempt, operation.version))
  }
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
  readParts(reader, (type) => {
    results.push(type === opcode.error ? readFailed(reader.int(), results.length) : readOne(type, reader))
  })
  return results
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
      return { data: reader.bytes(), stat: readStat(reader) }
    case opcode.getChildren:
      return { names: reader.strings() }
    default:
      throw new RangeError(`a result of type ${type}`)
  }
}

function isVersion(version: unknown): boolean {
  return version === 'any' || (Number.isInteger(version) && Number(version) >= 0 && Number(version) < 2 ** 31)
}
const versionRule = is.that('is "any" or a whole number from 0 below 2^31', isVersion)

/** Throws `bad-arguments` for what is none. */
export function versionNumber(attempt: string, version: Version): number {
  if (!isVersion(version)) assertGiven(attempt, { version }, { version: versionRule })
  return version === 'any' ? -1 : version
}
