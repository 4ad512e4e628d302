import { JuteError, type JuteReader } from './jute.ts'
import type { WriteOperation } from './state-machine.ts'
import { opcode, readWrite } from './wire.ts'

/** Opcodes that a multi may hold. */
const allowed: ReadonlySet<number> = new Set([
  opcode.create,
  opcode.create2,
  opcode.delete,
  opcode.setData,
  opcode.check,
])

export interface Multi {
  readonly types: readonly number[]
  readonly operations: readonly WriteOperation[]
}

/** The body of a multi: each operation behind a header (type, done, error), ended by a header that says done. */
export function readMulti(reader: JuteReader): Multi {
  const types: number[] = []
  const operations: WriteOperation[] = []
  for (;;) {
    const [type, done] = [reader.int(), reader.bool()]
    reader.int() // the error field means nothing in a request
    if (done) return { types, operations }
    const operation = allowed.has(type) ? readWrite(type, reader) : undefined
    if (operation === undefined) throw new JuteError(`a multi may not hold the operation ${type}`)
    types.push(type === opcode.create2 ? opcode.create : type) // inside a multi ZooKeeper answers both as create
    operations.push(operation)
  }
}
