// Every request of ZooKeeper 3.8 (zookeeper.jute, ZooDefs.OpCode), as bytes to a server and back, with nothing between:
// what a library would hide (raw error codes, zxids, the order of packets) is what these suites look at.
// Its numbers are written down a second time on purpose: those of the client and of the embedded server are on trial here.

import type { JuteReader, JuteWriter } from '@catchment/zookeeper-wire'
import type { RawClient, Reply } from '../../../packages/embedded-zookeeper/test/raw-client.ts'

export const op = {
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
  createContainer: 19,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  getEphemerals: 103,
  allChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  closeSession: -11,
  error: -1,
} as const

/** org.apache.zookeeper.KeeperException.Code */
export const errors = {
  ok: 0,
  runtimeInconsistency: -2,
  marshalling: -5,
  unimplemented: -6,
  badArguments: -8,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  noWatcher: -121,
  quotaExceeded: -125,
} as const

export const modes = {
  persistent: 0,
  ephemeral: 1,
  sequential: 2,
  ephemeralSequential: 3,
  container: 4,
  ttl: 5,
  ttlSequential: 6,
} as const

export const events = {
  created: 1,
  deleted: 2,
  changed: 3,
  children: 4,
  dataWatchRemoved: 6,
  childWatchRemoved: 5,
} as const
export const addWatchModes = { persistent: 0, recursive: 1 } as const
export const watcherTypes = { children: 1, data: 2, any: 3 } as const

export interface Acl {
  readonly permissions: number
  readonly scheme: string
  readonly id: string
}
export const open: readonly Acl[] = [{ permissions: 31, scheme: 'world', id: 'anyone' }]

export interface Stat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: bigint
}

/** What came back; `value` throws when the answer was an error. */
export interface Answer<T> {
  readonly error: number
  readonly zxid: bigint
  readonly value: T
}

interface Creation {
  readonly data?: string
  readonly mode?: number
  readonly acl?: readonly Acl[]
}

/** A request's body, with its opcode for when it stands in a multi. */
export interface Body {
  readonly type: number
  readonly write: (writer: JuteWriter) => unknown
}

const path = (type: number, at: string): Body => ({ type, write: (writer) => writer.string(at) })
const read = (type: number, at: string, watch: boolean): Body => ({
  type,
  write: (writer) => writer.string(at).bool(watch),
})
const vector = (writer: JuteWriter, texts: readonly string[]): JuteWriter =>
  writer.vector(texts, texts.length, (text) => writer.string(text))
const acls = (writer: JuteWriter, list: readonly Acl[]): JuteWriter =>
  writer.vector(list, list.length, ({ permissions, scheme, id }) => writer.int(permissions).string(scheme).string(id))
const creation = (type: number, at: string, { data = '', mode = 0, acl = open }: Creation): Body => ({
  type,
  write: (writer) => acls(writer.string(at).buffer(Buffer.from(data)), acl).int(mode),
})

export const body = {
  create: (at: string, how: Creation = {}): Body => creation(op.create, at, how),
  create2: (at: string, how: Creation = {}): Body => creation(op.create2, at, how),
  createContainer: (at: string): Body => creation(op.createContainer, at, { mode: modes.container }),
  createTtl: (at: string, ttlMs: bigint, how: Creation = {}): Body => ({
    type: op.createTtl,
    write: (writer) => {
      creation(op.createTtl, at, { mode: modes.ttl, ...how }).write(writer)
      writer.long(ttlMs)
    },
  }),
  delete: (at: string, version = -1): Body => ({
    type: op.delete,
    write: (writer) => writer.string(at).int(version),
  }),
  exists: (at: string, watch = false): Body => read(op.exists, at, watch),
  getData: (at: string, watch = false): Body => read(op.getData, at, watch),
  setData: (at: string, data: string, version = -1): Body => ({
    type: op.setData,
    write: (writer) => writer.string(at).buffer(Buffer.from(data)).int(version),
  }),
  getAcl: (at: string): Body => path(op.getAcl, at),
  setAcl: (at: string, list: readonly Acl[], version = -1): Body => ({
    type: op.setAcl,
    write: (writer) => acls(writer.string(at), list).int(version),
  }),
  getChildren: (at: string, watch = false): Body => read(op.getChildren, at, watch),
  getChildren2: (at: string, watch = false): Body => read(op.getChildren2, at, watch),
  allChildrenNumber: (at: string): Body => path(op.allChildrenNumber, at),
  getEphemerals: (prefix: string): Body => path(op.getEphemerals, prefix),
  sync: (at: string): Body => path(op.sync, at),
  check: (at: string, version: number): Body => ({
    type: op.check,
    write: (writer) => writer.string(at).int(version),
  }),
  multi: (...bodies: readonly Body[]): Body => batch(op.multi, bodies),
  multiRead: (...bodies: readonly Body[]): Body => batch(op.multiRead, bodies),
  auth: (scheme: string, secret: string): Body => ({
    type: op.auth,
    write: (writer) => writer.int(0).string(scheme).buffer(Buffer.from(secret)),
  }),
  setWatches: (zxid: bigint, data: string[], exist: string[], child: string[]): Body => ({
    type: op.setWatches,
    write: (writer) => [data, exist, child].reduce<JuteWriter>(vector, writer.long(zxid)),
  }),
  setWatches2: (zxid: bigint, ...kinds: string[][]): Body => ({
    type: op.setWatches2,
    write: (writer) => kinds.reduce<JuteWriter>(vector, writer.long(zxid)),
  }),
  addWatch: (at: string, mode: number): Body => ({ type: op.addWatch, write: (writer) => writer.string(at).int(mode) }),
  removeWatches: (at: string, type: number): Body => ({
    type: op.removeWatches,
    write: (writer) => writer.string(at).int(type),
  }),
  checkWatches: (at: string, type: number): Body => ({
    type: op.checkWatches,
    write: (writer) => writer.string(at).int(type),
  }),
  whoAmI: (): Body => ({ type: op.whoAmI, write: () => undefined }),
  closeSession: (): Body => ({ type: op.closeSession, write: () => undefined }),
}

function batch(type: number, bodies: readonly Body[]): Body {
  return {
    type,
    write: (writer) => {
      for (const one of bodies) one.write(writer.int(one.type).bool(false).int(-1))
      writer.int(-1).bool(true).int(-1)
    },
  }
}

/** Sends a request and reads its answer, all of it. */
export async function ask<T>(client: RawClient, request: Body, reader: (reader: JuteReader) => T): Promise<Answer<T>> {
  const reply = await client.request(request.type, request.write)
  if (reply.error !== 0) return failed(reply)
  const value = reader(reply.body)
  if (reply.body.remaining > 0) throw new Error(`the answer to ${request.type} has ${reply.body.remaining} bytes more`)
  return { error: 0, zxid: reply.zxid, value }
}

/** The same where the answer's body does not matter. */
export async function hear(client: RawClient, request: Body): Promise<Answer<undefined>> {
  const reply = await client.request(request.type, request.write)
  return reply.error === 0 ? { error: 0, zxid: reply.zxid, value: undefined } : failed(reply)
}

function failed({ error, zxid }: Reply): Answer<never> {
  return {
    error,
    zxid,
    get value(): never {
      throw new Error(`the answer was error ${error}`)
    },
  }
}

export const text = (reader: JuteReader): string => reader.string()
export const nothing = (): undefined => undefined
export const texts = (reader: JuteReader): string[] => reader.vector(() => reader.string()).toSorted()
export const int = (reader: JuteReader): number => reader.int()
export const textAndStat = (reader: JuteReader): { path: string; stat: Stat } => ({
  path: reader.string(),
  stat: stat(reader),
})
export const dataAndStat = (reader: JuteReader): { data: string; stat: Stat } => ({
  data: reader.buffer()?.toString() ?? 'null',
  stat: stat(reader),
})
export const textsAndStat = (reader: JuteReader): { names: string[]; stat: Stat } => ({
  names: texts(reader),
  stat: stat(reader),
})
export const aclAndStat = (reader: JuteReader): { acl: Acl[]; stat: Stat } => ({
  acl: reader.vector(() => ({ permissions: reader.int(), scheme: reader.string(), id: reader.string() })),
  stat: stat(reader),
})

export function stat(reader: JuteReader): Stat {
  return {
    czxid: reader.long(),
    mzxid: reader.long(),
    ctimeMs: Number(reader.long()),
    mtimeMs: Number(reader.long()),
    version: reader.int(),
    cversion: reader.int(),
    aversion: reader.int(),
    ephemeralOwner: reader.long(),
    dataLength: reader.int(),
    numChildren: reader.int(),
    pzxid: reader.long(),
  }
}

/** One result of a multi: the opcode that it carries, and what it holds. */
export type Result = readonly [type: number, value: unknown]

/** The results of a multi or multiRead, up to the header that says done. */
export function results(reader: JuteReader): Result[] {
  const found: Result[] = []
  for (;;) {
    const [type, done, header] = [reader.int(), reader.bool(), reader.int()]
    if (done) return found
    const read = resultReaders.get(type)
    if (read === undefined) throw new Error(`a result of type ${type}`)
    found.push([type, type === op.error ? [header, read(reader)] : read(reader)])
  }
}

const resultReaders = new Map<number, (reader: JuteReader) => unknown>([
  [op.create, text],
  [op.create2, textAndStat],
  [op.delete, nothing],
  [op.setData, stat],
  [op.check, nothing],
  [op.getData, dataAndStat],
  [op.getChildren, texts],
  [op.error, int],
])
