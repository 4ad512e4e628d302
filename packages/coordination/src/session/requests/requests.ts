// What is asked of a server: how each operation is written, and how its answer is read (zookeeper.jute). All of it is encoded
// here and not by the library, which lacks half of the operations, gets transactions wrong (#67), and throws on what it does
// not know in the midst of an answer (#36).

import {
  addWatchMode,
  authXid,
  endParts,
  opcode,
  packet,
  pingXid,
  watcherType,
  writePartHeader,
  type Identity,
  type JuteReader,
  type JuteWriter,
  type WatcherType,
  type WriteBody,
} from '@catchment/zookeeper-wire'
import { aclRule } from '../contract/acls.ts'
import { atOperation, creationHints, serverError, ZooKeeperError, type Hints } from '../contract/errors.ts'
import { assertCallOptions, assertGiven, assertPath } from '../contract/given.ts'
import type {
  Acl,
  Created,
  CreateMode,
  Operation,
  OperationResult,
  ReadOperation,
  Stat,
  Version,
  Creation,
} from '../contract/nodes.ts'
import * as records from './records.ts'
import type { CreateOptions, Credentials, ReadResult } from '../contract/session.ts'

/** Servers drop the connection, and with it all in flight, when a request passes jute.maxbuffer (1 MiB less a little). */
export const requestBytesMax = 1_048_000

/** A request and how its answer is read. `attempt` is what errors say: "create /a". */
export interface Request<T> {
  readonly attempt: string
  readonly writes: boolean
  readonly type: number
  /** Of pings and credentials, which all have the same number. The others are numbered when they are sent. */
  readonly xid?: number
  readonly packet: Buffer
  readonly read: (reader: JuteReader) => T
  /** What an error of the server means here, and what to do. */
  readonly hints?: Hints
}

export type Answer<T> = { readonly value: T } | { readonly error: ZooKeeperError }

/** Paths of watches, as they are restored on a new connection. */
export type WatchedPaths = Readonly<Record<'data' | 'exist' | 'child' | 'persistent' | 'recursive', readonly string[]>>
export type WatchMode = keyof typeof addWatchMode

const { readStat } = records

const nothing = (): undefined => undefined

export const ping: Request<void> = {
  ...{ attempt: 'ping', writes: false, type: opcode.ping, xid: pingXid, read: nothing },
  packet: requestPacket(opcode.ping, undefined),
}

export function closeSession(): Request<void> {
  const type = opcode.closeSession
  return { attempt: 'close the session', writes: true, type, packet: requestPacket(type, undefined), read: nothing }
}

export function authenticate({ scheme, proof }: Credentials): Request<void> {
  const type = opcode.auth
  const bytes = requestPacket(type, (writer) => writer.int(0).string(scheme).buffer(Buffer.from(proof)))
  return { attempt: `show ${scheme} credentials`, writes: true, type, xid: authXid, packet: bytes, read: nothing }
}

export function whoAmI(): Request<Identity[]> {
  const read = (reader: JuteReader): Identity[] =>
    reader.vector(() => ({ scheme: reader.string(), id: reader.string() }))
  const type = opcode.whoAmI
  return { attempt: 'ask who we are', writes: false, type, packet: requestPacket(type, undefined), read }
}

/** The watch of a read (get, exists, children) is asked for by the last byte of its packet: sent with it, or without. */
export function withWatch(request: Request<unknown>, watch: boolean): void {
  request.packet.writeUInt8(watch ? 1 : 0, request.packet.length - 1)
}

/** The mode of an addWatch, likewise: its last number. */
export function withMode(request: Request<unknown>, mode: WatchMode): void {
  request.packet.writeInt32BE(addWatchMode[mode], request.packet.length - 4)
}

/** What a removeWatches removes, likewise. */
export function withWatcherType(request: Request<unknown>, type: WatcherType): void {
  request.packet.writeInt32BE(watcherType[type], request.packet.length - 4)
}

/** Requests about nodes below a chroot ("" for none): paths that go in and come out are below it, and without it. */
export class Requests {
  readonly #chroot: string

  constructor(chroot: string) {
    this.#chroot = chroot
  }

  create(path: string, data: Uint8Array, mode: CreateMode | undefined, options: CreateOptions): Request<string> {
    return this.#creation(creationOf(path, data, mode, options), { read: (reader) => this.local(reader.string()) })
  }

  createWithStat(
    path: string,
    data: Uint8Array,
    mode: CreateMode | undefined,
    options: CreateOptions,
  ): Request<Created> {
    const read = (reader: JuteReader): Created => ({ path: this.local(reader.string()), stat: readStat(reader) })
    return this.#creation(creationOf(path, data, mode, options), { read, plain: opcode.create2 })
  }

  /** The three reads ask for no watch until `withWatch` says otherwise. */
  get(path: string): Request<{ data: Buffer; stat: Stat }> {
    return this.#ask(`get ${path}`, path, opcode.getData, {
      read: (reader) => ({ data: reader.bytes(), stat: readStat(reader) }),
      more: noWatch,
    })
  }

  exists(path: string): Request<Stat> {
    return this.#ask(`exists ${path}`, path, opcode.exists, { read: readStat, more: noWatch })
  }

  children(path: string): Request<{ names: string[]; stat: Stat }> {
    return this.#ask(`children ${path}`, path, opcode.getChildren2, {
      read: (reader) => ({ names: reader.strings(), stat: readStat(reader) }),
      more: noWatch,
    })
  }

  set(path: string, data: Uint8Array, version: Version): Request<Stat> {
    const attempt = records.atVersion(`set ${path}`, version)
    records.assertData(attempt, data)
    const more: WriteBody = (writer) => writer.buffer(data).int(records.versionNumber(attempt, version))
    const how = { read: readStat, more, writes: true, expectedBytes: data.length }
    return this.#ask(attempt, path, opcode.setData, how)
  }

  delete(path: string, version: Version): Request<void> {
    const attempt = records.atVersion(`delete ${path}`, version)
    const more: WriteBody = (writer) => writer.int(records.versionNumber(attempt, version))
    return this.#ask(attempt, path, opcode.delete, { read: nothing, more, writes: true })
  }

  sync(path: string): Request<void> {
    return this.#ask(`sync ${path}`, path, opcode.sync, { read: nothing })
  }

  getAcl(path: string): Request<{ acl: Acl[]; stat: Stat }> {
    return this.#ask(`get the ACL of ${path}`, path, opcode.getAcl, {
      read: (reader) => ({ acl: records.readAcl(reader), stat: readStat(reader) }),
    })
  }

  setAcl(path: string, acl: readonly Acl[], version: Version): Request<Stat> {
    const attempt = records.atVersion(`set the ACL of ${path}`, version)
    assertGiven(attempt, { acl }, { acl: aclRule })
    const more: WriteBody = (writer) => records.writeAcl(writer, acl).int(records.versionNumber(attempt, version))
    return this.#ask(attempt, path, opcode.setAcl, { read: readStat, more, writes: true })
  }

  descendantCount(path: string): Request<number> {
    const read = (reader: JuteReader): number => reader.int()
    return this.#ask(`count what is below ${path}`, path, opcode.getAllChildrenNumber, { read })
  }

  ephemerals(path: string): Request<string[]> {
    const above = this.#chroot + (path === '/' ? '' : path) // a server compares beginnings: /aab is below /aa to it
    const isBelow = (one: string): boolean => one === above || one.startsWith(`${above}/`)
    return this.#ask(`list the ephemerals below ${path}`, path, opcode.getEphemerals, {
      read: (reader) => reader.strings().flatMap((one) => (isBelow(one) ? this.local(one) : [])),
    })
  }

  multi(operations: readonly Operation[]): Request<OperationResult[]> {
    return this.#transaction('multi', operations, {
      ...{ type: opcode.multi, writes: true, ops: records.writeOps },
      write: (writer, operation, wirePath) => {
        records.writeOperation(writer, operation, wirePath)
      },
      readOne: (type, reader) => {
        const result = records.readWritten(type, reader)
        return typeof result === 'string' ? this.local(result) : result
      },
      failed: (errorNumber, error) => {
        if (errorNumber !== 0) throw error()
        return undefined
      },
    })
  }

  multiRead(operations: readonly ReadOperation[]): Request<ReadResult[]> {
    return this.#transaction<ReadOperation, ReadResult>('multiRead', operations, {
      ...{ type: opcode.multiRead, writes: false, ops: records.readOps },
      write: (writer, { op }, wirePath) =>
        writePartHeader(writer, op === 'get' ? opcode.getData : opcode.getChildren, -1)
          .string(wirePath)
          .bool(false),
      readOne: records.readRead,
      failed: (_, error) => error(),
    })
  }

  /** The mode is put in by `withMode`. */
  addWatch(path: string): Request<void> {
    const more: WriteBody = (writer) => writer.int(0)
    return this.#ask(`add a watch to ${path}`, path, opcode.addWatch, { read: nothing, more })
  }

  removeWatches(path: string, type: WatcherType): Request<void> {
    const more: WriteBody = (writer) => writer.int(watcherType[type])
    return this.#ask(`remove the watches of ${path}`, path, opcode.removeWatches, { read: nothing, more })
  }

  /** Servers before 3.6 know no persistent watches, nor the request that restores them. */
  setWatches(zxid: bigint, watches: WatchedPaths): Request<void> {
    const persistent = watches.persistent.length + watches.recursive.length > 0
    const type = persistent ? opcode.setWatches2 : opcode.setWatches
    const wire = (paths: readonly string[]): string[] => paths.map((path) => this.#wire('restore watches', path))
    const packet = requestPacket(type, (writer) => {
      writer.long(zxid).strings(wire(watches.data)).strings(wire(watches.exist)).strings(wire(watches.child))
      if (persistent) writer.strings(wire(watches.persistent)).strings(wire(watches.recursive))
    })
    return { attempt: 'restore watches', writes: false, type, packet, read: nothing }
  }

  /** A path of the server's as this session knows it. */
  local(path: string): string {
    return this.#chroot === '' ? path : path.slice(this.#chroot.length) || '/'
  }

  #wire(attempt: string, path: string): string {
    assertPath(attempt, path)
    return path === '/' && this.#chroot !== '' ? this.#chroot : this.#chroot + path
  }

  /** `plain`: what creates a node that is neither a container nor has a TTL; `create` unless given. */
  #creation<T>(
    operation: Creation,
    { read, plain = opcode.create }: { readonly read: Request<T>['read']; readonly plain?: number },
  ): Request<T> {
    const { path, data, mode } = operation
    const attempt = `create ${path}`
    const wirePath = this.#wire(attempt, path)
    records.assertCreation(operation)
    const known = records.creationType(mode)
    const type = known === opcode.create ? plain : known
    const write: WriteBody = (writer) => {
      records.writeCreation(writer, operation, wirePath)
    }
    const packet = requestPacket(type, write, 256 + data.length)
    return { attempt, writes: true, type, packet, read, hints: creationHints }
  }

  #ask<T>(
    attempt: string,
    path: string,
    type: number,
    { read, more, writes = false, expectedBytes = 0 }: Asking<T>,
  ): Request<T> {
    const wirePath = this.#wire(attempt, path)
    const write: WriteBody = (writer) => {
      writer.string(wirePath)
      more?.(writer)
    }
    return { attempt, writes, type, packet: requestPacket(type, write, 64 + 3 * wirePath.length + expectedBytes), read }
  }

  /** Writes each operation, what is wrong with one saying which; reads the result of each. */
  #transaction<Op extends Operation | ReadOperation, Result>(
    name: string,
    operations: readonly Op[],
    { type, writes, ops, write, readOne, failed }: TransactionForm<Op, Result>,
  ): Request<Result[]> {
    records.assertOperations(name, operations, ops)
    const attempt = `${name} of ${operations.map(({ op, path }) => `${op} ${path}`).join(', ')}`.slice(0, 500)
    const failures = operations.map(failureOf)
    const packet = requestPacket(type, (writer) => {
      for (const [index, operation] of operations.entries())
        try {
          write(writer, operation, this.#wire(records.attemptOf(operation), operation.path))
        } catch (thrown) {
          throw thrown instanceof ZooKeeperError ? atOperation(thrown, index) : thrown
        }
      endParts(writer)
    })
    const readFailed = (errorNumber: number, index: number): Result =>
      failed(errorNumber, () => operationError(errorNumber, failures, index))
    const read = (reader: JuteReader): Result[] => records.readResults(reader, readOne, readFailed)
    return { attempt, writes, type, packet, read }
  }
}

/** How a request about one node is written and its answer read: `more` follows the path. */
interface Asking<T> {
  readonly read: Request<T>['read']
  readonly more?: WriteBody
  readonly writes?: boolean
  readonly expectedBytes?: number
}

/** What makes up a multi or a multiRead. `failed` is given the error of a result that is one, whatever it makes of it. */
interface TransactionForm<Op, Result> extends Pick<Request<unknown>, 'type' | 'writes'> {
  readonly ops: readonly string[]
  readonly write: (writer: JuteWriter, operation: Op, wirePath: string) => unknown
  readonly readOne: (type: number, reader: JuteReader) => Result
  readonly failed: (errorNumber: number, error: () => ZooKeeperError) => Result
}

function noWatch(writer: JuteWriter): void {
  writer.bool(false)
}

/** What the error of an operation says: kept from the call on, as the caller may change the list until the answer. */
type Failure = Pick<Request<unknown>, 'attempt' | 'hints'>

function failureOf(operation: Operation | ReadOperation): Failure {
  const attempt = records.attemptOf(operation)
  return operation.op === 'create' ? { attempt, hints: creationHints } : { attempt }
}

function operationError(errorNumber: number, failures: readonly Failure[], index: number): ZooKeeperError {
  const failure = failures[index]
  if (failure === undefined) throw new RangeError(`a result ${index} of ${failures.length}`)
  return atOperation(serverError(errorNumber, failure.attempt, failure.hints), index)
}

/** Of the options what makes a node: they may have a path of their own. */
function creationOf(path: string, data: Uint8Array, mode: CreateMode | undefined, options: CreateOptions): Creation {
  assertCallOptions(`create ${path}`, options)
  const { acl, ttlMs } = options
  return { op: 'create', path, data, mode, acl, ttlMs }
}

/** Without its number, which is put in when it is sent. */
function requestPacket(type: number, body: WriteBody | undefined, expectedBytes = 128): Buffer {
  return packet((writer) => {
    writer.int(0).int(type)
    body?.(writer)
  }, expectedBytes)
}
