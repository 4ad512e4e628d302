// What is asked of a server: how each operation is written, and how its answer is read (zookeeper.jute). All of it is encoded
// here and not by the library, which lacks half of the operations, gets transactions wrong (#67), and throws on what it does
// not know in the midst of an answer (#36).

import { aclRule } from './acls.ts'
import { atOperation, creationHints, serverError, ZooKeeperError, type Hints } from './errors.ts'
import { assertCallOptions, assertGiven, assertPath } from './given.ts'
import { requestPacket, type JuteReader, type JuteWriter, type WriteBody } from './jute.ts'
import type {
  Acl,
  Created,
  CreateMode,
  Identity,
  Operation,
  OperationResult,
  ReadOperation,
  Stat,
  Version,
} from './nodes.ts'
import * as records from './records.ts'
import type { CreateOptions, Credentials, ReadResult } from './session.ts'
import { addWatchModes, authXid, opcode, pingXid, versionNumber, watcherTypes } from './wire-numbers.ts'

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
export type WatchMode = keyof typeof addWatchModes
export type WatcherType = keyof typeof watcherTypes

type Creation = Extract<Operation, { op: 'create' }>

const nothing = (): undefined => undefined

export const ping: Request<void> = {
  ...{ attempt: 'ping', writes: false, type: opcode.ping, xid: pingXid, read: nothing },
  packet: requestPacket(opcode.ping, undefined),
}

export function closeSession(): Request<void> {
  const packet = requestPacket(opcode.closeSession, undefined)
  return { attempt: 'close the session', writes: true, type: opcode.closeSession, packet, read: nothing }
}

export function authenticate({ scheme, proof }: Credentials): Request<void> {
  const packet = requestPacket(opcode.auth, (writer) => writer.int(0).string(scheme).buffer(Buffer.from(proof)))
  const attempt = `show ${scheme} credentials`
  return { attempt, writes: true, type: opcode.auth, xid: authXid, packet, read: nothing }
}

export function whoAmI(): Request<Identity[]> {
  const read = (reader: JuteReader): Identity[] =>
    reader.vector(() => ({ scheme: reader.string(), id: reader.string() }))
  const packet = requestPacket(opcode.whoAmI, undefined)
  return { attempt: 'ask who we are', writes: false, type: opcode.whoAmI, packet, read }
}

/** The watch of a read (get, exists, children) is asked for by the last byte of its packet: sent with it, or without. */
export function withWatch(request: Request<unknown>, watch: boolean): void {
  request.packet.writeUInt8(watch ? 1 : 0, request.packet.length - 1)
}

/** The mode of an addWatch, likewise: its last number. */
export function withMode(request: Request<unknown>, mode: WatchMode): void {
  request.packet.writeInt32BE(addWatchModes[mode], request.packet.length - 4)
}

/** What a removeWatches removes, likewise. */
export function withWatcherType(request: Request<unknown>, type: WatcherType): void {
  request.packet.writeInt32BE(watcherTypes[type], request.packet.length - 4)
}

/** Requests about nodes below a chroot ("" for none): paths that go in and come out are below it, and without it. */
export class Requests {
  readonly #chroot: string

  constructor(chroot: string) {
    this.#chroot = chroot
  }

  create(path: string, data: Uint8Array, mode: CreateMode, options: CreateOptions): Request<string> {
    return this.#creation(creationOf(path, data, mode, options), { read: (reader) => this.local(reader.string()) })
  }

  createWithStat(path: string, data: Uint8Array, mode: CreateMode, options: CreateOptions): Request<Created> {
    const read = (reader: JuteReader): Created => ({
      path: this.local(reader.string()),
      stat: records.readStat(reader),
    })
    return this.#creation(creationOf(path, data, mode, options), { read, plain: opcode.create2 })
  }

  /** The three reads ask for no watch until `withWatch` says otherwise. */
  get(path: string): Request<{ data: Buffer; stat: Stat }> {
    const read = (reader: JuteReader): { data: Buffer; stat: Stat } => ({
      data: reader.buffer(),
      stat: records.readStat(reader),
    })
    return this.#read('get', path, opcode.getData, { read, more: noWatch })
  }

  exists(path: string): Request<Stat> {
    return this.#read('exists', path, opcode.exists, { read: records.readStat, more: noWatch })
  }

  children(path: string): Request<{ names: string[]; stat: Stat }> {
    const read = (reader: JuteReader): { names: string[]; stat: Stat } => ({
      names: reader.strings(),
      stat: records.readStat(reader),
    })
    return this.#read('children', path, opcode.getChildren2, { read, more: noWatch })
  }

  set(path: string, data: Uint8Array, version: Version): Request<Stat> {
    const attempt = records.atVersion(`set ${path}`, version)
    records.assertData(attempt, data)
    const packet = this.#packet(attempt, path, opcode.setData, {
      more: (writer) => writer.buffer(data).int(versionNumber(attempt, version)),
      expectedBytes: data.length,
    })
    return { attempt, writes: true, type: opcode.setData, packet, read: records.readStat }
  }

  delete(path: string, version: Version): Request<void> {
    const attempt = records.atVersion(`delete ${path}`, version)
    const more: WriteBody = (writer) => writer.int(versionNumber(attempt, version))
    const packet = this.#packet(attempt, path, opcode.delete, { more })
    return { attempt, writes: true, type: opcode.delete, packet, read: nothing }
  }

  sync(path: string): Request<void> {
    return this.#read('sync', path, opcode.sync, { read: nothing })
  }

  getAcl(path: string): Request<{ acl: Acl[]; stat: Stat }> {
    const read = (reader: JuteReader): { acl: Acl[]; stat: Stat } => ({
      acl: records.readAcl(reader),
      stat: records.readStat(reader),
    })
    return this.#read('get the ACL of', path, opcode.getAcl, { read })
  }

  setAcl(path: string, acl: readonly Acl[], version: Version): Request<Stat> {
    const attempt = records.atVersion(`set the ACL of ${path}`, version)
    assertGiven(attempt, { acl }, { acl: aclRule })
    const more: WriteBody = (writer) => records.writeAcl(writer, acl).int(versionNumber(attempt, version))
    const packet = this.#packet(attempt, path, opcode.setAcl, { more })
    return { attempt, writes: true, type: opcode.setAcl, packet, read: records.readStat }
  }

  descendantCount(path: string): Request<number> {
    return this.#read('count what is below', path, opcode.getAllChildrenNumber, { read: (reader) => reader.int() })
  }

  ephemerals(path: string): Request<string[]> {
    const above = this.#chroot + (path === '/' ? '' : path) // a server compares beginnings: /aab is below /aa to it
    const read = (reader: JuteReader): string[] => {
      const found = reader.strings()
      return found.filter((one) => one === above || one.startsWith(`${above}/`)).map((one) => this.local(one))
    }
    return this.#read('list the ephemerals below', path, opcode.getEphemerals, { read })
  }

  multi(operations: readonly Operation[]): Request<OperationResult[]> {
    records.assertOperations('multi', operations, records.writeOps)
    const attempt = ofAll('multi', operations)
    const failures = operations.map(failureOf)
    const packet = requestPacket(opcode.multi, (writer) => {
      each(operations, (operation) => {
        records.writeOperation(writer, operation, this.#wire(records.attemptOf(operation), operation.path))
      })
      records.endOperations(writer)
    })
    const readFailed = (errorNumber: number, index: number): undefined => {
      if (errorNumber !== 0) throw operationError(errorNumber, failures, index)
    }
    const readOne = (type: number, reader: JuteReader): OperationResult => {
      const result = records.readWritten(type, reader)
      return typeof result === 'string' ? this.local(result) : result
    }
    const read = (reader: JuteReader): OperationResult[] => records.readResults(reader, readOne, readFailed)
    return { attempt, writes: true, type: opcode.multi, packet, read }
  }

  multiRead(operations: readonly ReadOperation[]): Request<ReadResult[]> {
    records.assertOperations('multiRead', operations, records.readOps)
    const attempt = ofAll('multiRead', operations)
    const failures = operations.map(failureOf)
    const packet = requestPacket(opcode.multiRead, (writer) => {
      each(operations, (operation) => {
        const type = operation.op === 'get' ? opcode.getData : opcode.getChildren
        const wirePath = this.#wire(records.attemptOf(operation), operation.path)
        records.operationHeader(writer, type).string(wirePath).bool(false)
      })
      records.endOperations(writer)
    })
    const readFailed = (errorNumber: number, index: number): ReadResult => operationError(errorNumber, failures, index)
    const read = (reader: JuteReader): ReadResult[] => records.readResults(reader, records.readRead, readFailed)
    return { attempt, writes: false, type: opcode.multiRead, packet, read }
  }

  /** The mode is put in by `withMode`. */
  addWatch(path: string): Request<void> {
    return this.#read('add a watch to', path, opcode.addWatch, { read: nothing, more: (writer) => writer.int(0) })
  }

  removeWatches(path: string, type: WatcherType): Request<void> {
    const more: WriteBody = (writer) => writer.int(watcherTypes[type])
    return this.#read('remove the watches of', path, opcode.removeWatches, { read: nothing, more })
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

  #read<T>(
    verb: string,
    path: string,
    type: number,
    how: { readonly read: Request<T>['read']; readonly more?: WriteBody },
  ): Request<T> {
    const attempt = `${verb} ${path}`
    return { attempt, writes: false, type, packet: this.#packet(attempt, path, type, how), read: how.read }
  }

  #packet(
    attempt: string,
    path: string,
    type: number,
    { more, expectedBytes = 0 }: { more?: WriteBody; expectedBytes?: number },
  ): Buffer {
    const wirePath = this.#wire(attempt, path)
    const write: WriteBody = (writer) => {
      writer.string(wirePath)
      more?.(writer)
    }
    return requestPacket(type, write, 64 + 3 * wirePath.length + expectedBytes)
  }
}

function noWatch(writer: JuteWriter): void {
  writer.bool(false)
}

function ofAll(name: string, operations: readonly (Operation | ReadOperation)[]): string {
  return `${name} of ${operations.map(({ op, path }) => `${op} ${path}`).join(', ')}`.slice(0, 500)
}

/** Writes each; what is wrong with one says which. */
function each<T>(operations: readonly T[], write: (operation: T) => void): void {
  for (const [index, operation] of operations.entries())
    try {
      write(operation)
    } catch (thrown) {
      throw thrown instanceof ZooKeeperError ? atOperation(thrown, index) : thrown
    }
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
function creationOf(path: string, data: Uint8Array, mode: CreateMode, options: CreateOptions): Creation {
  assertCallOptions(`create ${path}`, options)
  const { acl, ttlMs } = options
  return { op: 'create', path, data, mode, acl, ttlMs }
}
