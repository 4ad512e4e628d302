// What a request of an open session is answered. The engine sends it, and closes the connection where the answer says so.

import { errorCode, JuteError, type JuteReader, opcode } from '@catchment/zookeeper-wire'
import { authenticate } from '../tree/acl.ts'
import { RequestError, type ErrorCode } from '../tree/errors.ts'
import { readMulti, writeOutcomes } from './multi.ts'
import { read, type Body, type ReadContext } from './reads.ts'
import type { WriteOperation } from '../tree/operations.ts'
import type { Commit } from '../tree/state-machine.ts'
import type { CloseReason } from '../connections/stats.ts'
import { handleWatches, type Missed } from './watch-requests.ts'
import { readAuth, readWrite, writeOutcome } from './wire.ts'

export interface RequestAnswer {
  readonly error?: ErrorCode
  readonly body?: Body | undefined
  /** Events that are sent first. */
  readonly missed?: readonly Missed[]
  /** Unless it is that of the last transaction: auth packets are answered outside their order. */
  readonly zxid?: bigint
  /** No answer at all: what comes of it is that the connection closes. */
  readonly silent?: boolean
  /** The connection ends after the answer. */
  readonly close?: CloseReason
}

export interface RequestContext extends ReadContext {
  /** Applies writes and notifies the watchers. Throws RequestError when the tree may not grow. */
  write(operations: readonly WriteOperation[]): Commit
  endSession(): void
}

/** Throws RequestError, or JuteError when the body is not what `type` says. */
export function answer(type: number, reader: JuteReader, context: RequestContext): RequestAnswer {
  switch (type) {
    case opcode.ping:
      return {}
    case opcode.auth:
      return auth(reader, context)
    case opcode.closeSession:
      context.endSession()
      return { close: 'sessionClosed' }
    case opcode.multi:
      return multi(reader, context)
    case opcode.reconfig:
      return refused(errorCode.unimplemented, context) // a standalone server cannot
    case opcode.deleteContainer:
      return refused(errorCode.badArguments, context) // the server alone may
    case opcode.sasl:
      return { zxid: 0n, body: (writer) => writer.buffer(null) } // as one that knows no SASL mechanism
    default:
      return readOrWatch(type, reader, context) ?? write(type, reader, context) ?? unknown
  }
}

/** ZooKeeper hangs up on who speaks of what it does not know. */
const unknown: RequestAnswer = { error: errorCode.unimplemented, zxid: -1n, close: 'malformed' }

/** A refused write takes a zxid too. */
function refused(error: ErrorCode, context: RequestContext): RequestAnswer {
  context.write([])
  return { error }
}

function auth(reader: JuteReader, { connection }: ReadContext): RequestAnswer {
  const { scheme, proof } = readAuth(reader)
  const identity = authenticate(scheme, proof, connection.address)
  if (identity === undefined) return { error: errorCode.authFailed, zxid: 0n, close: 'authFailed' }
  const known = connection.identities.some((one) => one.scheme === identity.scheme && one.id === identity.id)
  if (!known) connection.identities.push(identity)
  return { zxid: 0n }
}

function readOrWatch(type: number, reader: JuteReader, context: ReadContext): RequestAnswer | undefined {
  const body = read(type, reader, context)
  return body === undefined ? handleWatches(type, reader, context) : { body }
}

function write(type: number, reader: JuteReader, context: RequestContext): RequestAnswer | undefined {
  const operation = readOrRefuse(context, () => readWrite(type, reader))
  if (operation === undefined) return undefined
  const [outcome] = context.write([operation]).outcomes
  if (operation.type === 'check' && outcome?.ok === true) return { silent: true, close: 'malformed' } // ZooKeeper 3.8 fails to answer
  if (outcome?.ok !== true) throw new RequestError(outcome?.code ?? errorCode.runtimeInconsistency, operation.path)
  return {
    body: (writer) => {
      writeOutcome(type, outcome, writer)
    },
  }
}

/** A write that cannot be read takes a zxid too. */
function readOrRefuse<T>(context: RequestContext, readBody: () => T): T {
  try {
    return readBody()
  } catch (thrown) {
    if (thrown instanceof JuteError) context.write([])
    throw thrown
  }
}

/** The answer's header says ok even when an operation failed: the outcomes report which and why. */
function multi(reader: JuteReader, context: RequestContext): RequestAnswer {
  const { types, operations } = readOrRefuse(context, () => readMulti(reader))
  const { outcomes } = context.write(operations)
  return {
    body: (writer) => {
      writeOutcomes(types, outcomes, writer)
    },
  }
}
