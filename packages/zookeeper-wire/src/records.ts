// What both sides write and both sides read (zookeeper.jute).

import { opcode } from './numbers.ts'
import type { JuteReader, JuteWriter } from './jute.ts'

/** Who someone has shown to be. Schemes: `world` (id `anyone`), `digest`, `ip`, … */
export interface Identity {
  readonly scheme: string
  readonly id: string
}

/** Whom a node permits what: `permissions` is a set of bits. */
export interface AclEntry extends Identity {
  readonly permissions: number
}

export function writeAcl(writer: JuteWriter, acl: readonly AclEntry[]): JuteWriter {
  return writer.vector(acl, acl.length, ({ permissions, scheme, id }) => {
    writer.int(permissions).string(scheme).string(id)
  })
}

export function readAcl(reader: JuteReader): AclEntry[] {
  return reader.vector(() => ({ permissions: reader.int(), scheme: reader.string(), id: reader.string() }))
}

/** Stands before each operation of a multi, and before each result in its answer. */
export function writePartHeader(writer: JuteWriter, type: number, error: number): JuteWriter {
  return writer.int(type).bool(false).int(error)
}

/** Ends the operations of a multi, and the results in its answer. */
export function endParts(writer: JuteWriter): void {
  writer.int(opcode.error).bool(true).int(-1)
}

/** Calls `read` with the type of each part of a multi, the reader being after its header: `read` reads the part's body. */
export function readParts(reader: JuteReader, read: (type: number) => void): void {
  for (;;) {
    const [type, done] = [reader.int(), reader.bool()]
    reader.int() // the error: nothing in a request, and in an answer it is in the body too
    if (done) return
    read(type)
  }
}
