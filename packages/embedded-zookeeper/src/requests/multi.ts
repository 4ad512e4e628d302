// Several operations in one packet: each after a header (type, done, error), ended by a header that says done; answered
// in the same form.

import type { JuteReader, JuteWriter } from '@catchment/zookeeper-wire'
import {
  createFlags,
  endParts,
  errorCode,
  JuteError,
  opcode,
  readParts,
  writePartHeader,
} from '@catchment/zookeeper-wire'
import { type ErrorCode } from '../tree/errors.ts'
import type { WriteOperation } from '../tree/operations.ts'
import type { OperationOutcome } from '../tree/state-machine.ts'
import { readWrite, writeOutcome } from './wire.ts'

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

export interface Multi {
  /** The opcodes that the answer reports. */
  readonly types: readonly number[]
  readonly operations: readonly WriteOperation[]
}

export function readMulti(reader: JuteReader): Multi {
  const types: number[] = []
  const operations: WriteOperation[] = []
  readParts(reader, (type) => {
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

const containerMode = createFlags.container
const ttlModes: readonly number[] = [createFlags['persistent-with-ttl'], createFlags['persistent-sequential-with-ttl']]

/** The outcomes of a multi whose operations are answered with the given opcodes. */
export function writeOutcomes(
  types: readonly number[],
  outcomes: readonly OperationOutcome[],
  writer: JuteWriter,
): void {
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.ok) {
      const type = types[at] ?? opcode.error
      writeOutcome(type, outcome, writePartHeader(writer, type, errorCode.ok))
    } else {
      writeFailure(writer, outcome.code)
    }
  }
  endParts(writer)
}

export function writeFailure(writer: JuteWriter, error: ErrorCode): void {
  writePartHeader(writer, opcode.error, error).int(error)
}
