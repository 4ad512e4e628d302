// Requests that change nothing, and leave a watch at most. Each returns what writes its answer's body, or throws RequestError.

import { allows, demand, permission, withoutDigests } from './acl.ts'
import type { Connection } from './connection.ts'
import { code, RequestError } from './errors.ts'
import type { JuteReader, JuteWriter } from './jute.ts'
import { statOf, type Node, type Tree } from './tree.ts'
import type { Watches } from './watches.ts'
import { opcode, writeAclAndStat, writeChildren, writeStat } from './wire.ts'

export type Body = (writer: JuteWriter) => void

export interface ReadContext {
  readonly tree: Tree
  readonly watches: Watches<Connection>
  readonly connection: Connection
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
  if (path.includes('\0')) throw new RequestError(code.badArguments, path)
  if (watch) watches.watchData(path, connection)
  const stat = statOf(existing(tree, path))
  return (writer) => {
    writeStat(writer, stat)
  }
}

function getData(reader: JuteReader, { tree, watches, connection }: ReadContext): Body {
  const [path, watch] = [reader.string(), reader.bool()]
  const node = existing(tree, path)
  demand(node.acl, permission.read, connection.identities)
  if (watch) watches.watchData(path, connection)
  return (writer) => {
    writeStat(writer.buffer(node.data), statOf(node))
  }
}

function getChildren(reader: JuteReader, { tree, watches, connection }: ReadContext, withStat: boolean): Body {
  const [path, watch] = [reader.string(), reader.bool()]
  const node = existing(tree, path)
  demand(node.acl, permission.read, connection.identities)
  if (watch) watches.watchChildren(path, connection)
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

function existing(tree: Tree, path: string): Node {
  const node = tree.get(path)
  if (node === undefined) throw new RequestError(code.noNode, path)
  return node
}
