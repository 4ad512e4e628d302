// Several operations in one packet: each behind a header (type, done, error), ended by a header that says done; answered
// in the same form.

import { code, type ErrorCode } from './errors.ts'
import { JuteError, type JuteReader, type JuteWriter } from './jute.ts'
import type { WriteOperation } from './operations.ts'
import type { Outcome } from './state-machine.ts'
import { opcode, readWrite, writeOutcome } from './wire.ts'

/** Opcodes that a multi may hold. */
const allowed: ReadonlySet<number> = new Set([
  opcode.create,
  opcode.create2,
  opcode.createContainer,
  opcode.createTtl,
  opcode.delete,
  opcode.setData,
  opcode.check,
])

const errorType = -1

export interface Multi {
  /** The opcodes that the answer tells. */
  readonly types: readonly number[]
  readonly operations: readonly WriteOperation[]
}

/** Calls `read` with the type of each operation, behind whose header the reader stands. */
export function readEach(reader: JuteReader, read: (type: number) => void): void {
  for (;;) {
    const [type, done] = [reader.int(), reader.bool()]
    reader.int() // the error field means nothing in a request
    if (done) return
    read(type)
  }
}

export function readMulti(reader: JuteReader): Multi {
  const types: number[] = []
  const operations: WriteOperation[] = []
  readEach(reader, (type) => {
    const operation = allowed.has(type) ? readWrite(type, reader) : undefined
    if (operation === undefined) throw new JuteError(`a multi may not hold the operation ${type}`)
    const inside = operation.type === 'create' ? asInMulti(operation) : operation
    operations.push(inside)
    types.push(inside.type !== 'create' ? type : inside.as === 'node' ? opcode.create : opcode.create2)
  })
  return { types, operations }
}

/** Inside a multi it is the mode that makes a container or a TTL node, and create2 is answered as create. */
function asInMulti(operation: WriteOperation & { type: 'create' }): WriteOperation & { type: 'create' } {
  if (operation.as === 'ttl' && ttlModes.includes(operation.mode)) return operation
  return { ...operation, as: operation.mode === containerMode ? 'container' : 'node', ttlMs: -1n }
}

const containerMode = 4
const ttlModes = [5, 6]

/** The outcomes of a multi whose operations are answered with the given opcodes. */
export function writeOutcomes(types: readonly number[], outcomes: readonly Outcome[], writer: JuteWriter): void {
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.ok) {
      const type = types[at] ?? errorType
      writeOutcome(type, outcome, beginResult(writer, type))
    } else {
      writeError(writer, outcome.code)
    }
  }
  endResults(writer)
}

export function beginResult(writer: JuteWriter, type: number): JuteWriter {
  return writer.int(type).bool(false).int(code.ok)
}

export function writeError(writer: JuteWriter, error: ErrorCode): void {
  writer.int(errorType).bool(false).int(error).int(error)
}

export function endResults(writer: JuteWriter): void {
  writer.int(-1).bool(true).int(-1)
}
