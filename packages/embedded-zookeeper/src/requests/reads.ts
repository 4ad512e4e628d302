// Requests that change nothing, and leave a watch at most. Each returns what writes its answer's body, or throws RequestError.

import type { JuteWriter } from '@catchment/zookeeper-wire'
import {
  endParts,
  errorCode,
  JuteError,
  type JuteReader,
  opcode,
  permission,
  readParts,
  writePartHeader,
} from '@catchment/zookeeper-wire'
import { allows, demand, withoutDigests } from '../tree/acl.ts'
import type { ClientConnection } from '../connections/connection.ts'
import { RequestError } from '../tree/errors.ts'
import { writeFailure } from './multi.ts'
import { statOf, type Node } from '../tree/node.ts'
import type { DataTree } from '../tree/tree.ts'
import type { WatchManager } from '../watches/watches.ts'
import { writeAclAndStat, writeChildren, writeStat } from './wire.ts'

export type Body = (writer: JuteWriter) => unknown

export interface ReadContext {
  readonly tree: DataTree
  readonly watches: WatchManager<ClientConnection>
  readonly connection: ClientConnection
}

/** Answers a read; undefined when `type` is none. */
export function read(type: number, reader: JuteReader, context: ReadContext): Body | undefined {
  switch (type) {
    case opcode.exists:
      return exists(reader, context)
    case opcode.getData:
      return getData(reader, context)
    case opcode.getChildren:
    case opcode.getChildren2:
      return getChildren(reader, context, type === opcode.getChildren2)
    case opcode.getAcl:
      return getAcl(reader, context)
    case opcode.getEphemerals:
      return getEphemerals(reader, context)
    case opcode.getAllChildrenNumber:
      return getAllChildrenNumber(reader, context)
    case opcode.multiRead:
      return multiRead(reader, context)
    case opcode.whoAmI:
      return whoAmI(context)
    case opcode.sync: {
      const path = reader.string() // one server is always in sync with itself
      return (writer) => writer.string(path)
    }
    default:
      return undefined
  }
}

/** Leaves its watch also where nothing is: that is how one waits for a node. */
function exists(reader: JuteReader, { tree, watches, connection }: ReadContext): Body {
  const [path, watch] = [reader.string(), reader.bool()]
  if (path.includes('\0')) throw new RequestError(errorCode.badArguments, path)
  if (watch) watches.watchData(path, connection)
  const stat = statOf(existing(tree, path))
  return (writer) => {
    writeStat(writer, stat)
  }
}

function getData(reader: JuteReader, context: ReadContext): Body {
  const [path, watch] = [reader.string(), reader.bool()]
  const node = readable(path, context)
  if (watch) context.watches.watchData(path, context.connection)
  return (writer) => {
    writeStat(writer.buffer(node.data), statOf(node))
  }
}

function getChildren(reader: JuteReader, context: ReadContext, withStat: boolean): Body {
  const [path, watch] = [reader.string(), reader.bool()]
  const node = readable(path, context)
  if (watch) context.watches.watchChildren(path, context.connection)
  return (writer) => {
    writeChildren(writer, node.children)
    if (withStat) writeStat(writer, statOf(node))
  }
}

function getAcl(reader: JuteReader, { tree, connection }: ReadContext): Body {
  const node = existing(tree, reader.string())
  demand(node.acl, permission.read | permission.admin, connection.identities)
  const mayAdminister = allows(node.acl, permission.admin, connection.identities)
  const acl = mayAdminister ? node.acl : withoutDigests(node.acl)
  return (writer) => {
    writeAclAndStat(writer, acl, statOf(node))
  }
}

/** Those of the caller's session below a prefix, which is one of text: `/a` is one of `/ab`. */
function getEphemerals(reader: JuteReader, { tree, connection }: ReadContext): Body {
  const given = reader.buffer()?.toString('utf8') ?? ''
  const prefix = given.trim() === '' ? '/' : given
  const paths = tree.ephemeralsOf(connection.sessionId).filter((path) => path.startsWith(prefix))
  return (writer) => writer.vector(paths, paths.length, (path) => writer.string(path))
}

function getAllChildrenNumber(reader: JuteReader, context: ReadContext): Body {
  const path = reader.string()
  readable(path, context)
  const count = context.tree.countBelow(path)
  return (writer) => writer.int(count)
}

/** Who the connection has shown to be, without secrets: scheme and user of each identity. */
function whoAmI({ connection }: ReadContext): Body {
  const { identities } = connection
  return (writer) =>
    writer.vector(identities, identities.length, ({ scheme, id }) =>
      writer.string(scheme).string(scheme === 'digest' ? (id.split(':', 1)[0] ?? '') : id),
    )
}

/** Data and children of several nodes. One that fails is answered with its error, the others go on; nothing is watched. */
function multiRead(reader: JuteReader, context: ReadContext): Body {
  const results: Body[] = []
  readParts(reader, (type) => {
    if (type !== opcode.getData && type !== opcode.getChildren)
      throw new JuteError(`a multiRead may not hold the operation ${type}`)
    const path = reader.string()
    reader.bool() // the wish to watch, which ZooKeeper does not hear here
    results.push(resultOf(type, path, context))
  })
  return (writer) => {
    for (const result of results) result(writer)
    endParts(writer)
  }
}

function resultOf(type: number, path: string, context: ReadContext): Body {
  try {
    const node = readable(path, context)
    return (writer) => {
      writePartHeader(writer, type, errorCode.ok)
      if (type === opcode.getData) writeStat(writer.buffer(node.data), statOf(node))
      else writeChildren(writer, node.children)
    }
  } catch (thrown) {
    if (!(thrown instanceof RequestError)) throw thrown
    return (writer) => {
      writeFailure(writer, thrown.code)
    }
  }
}

/** Throws noNode, or noAuth unless the caller may read the node. */
function readable(path: string, { tree, connection }: ReadContext): Node {
  const node = existing(tree, path)
  demand(node.acl, permission.read, connection.identities)
  return node
}

function existing(tree: DataTree, path: string): Node {
  const node = tree.get(path)
  if (node === undefined) throw new RequestError(errorCode.noNode, path)
  return node
}
