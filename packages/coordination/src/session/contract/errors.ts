import { CatchmentError, type Blame } from '@catchment/runtime'
import { errorCode } from '@catchment/zookeeper-wire'

interface ErrorKind {
  readonly blame: Blame
  readonly retryable: boolean
  /** What servers answer that means this. */
  readonly answers: readonly number[]
}

const ofPeer = (...answers: readonly number[]): ErrorKind => ({ blame: 'peer', retryable: false, answers })
const passing = (...answers: readonly number[]): ErrorKind => ({ blame: 'peer', retryable: true, answers })
const ofOperator = (...answers: readonly number[]): ErrorKind => ({ blame: 'operator', retryable: false, answers })
const ofBug = (...answers: readonly number[]): ErrorKind => ({ blame: 'bug', retryable: false, answers })

const kinds = {
  'no-node': ofPeer(errorCode.noNode),
  'node-exists': ofPeer(errorCode.nodeExists),
  'bad-version': ofPeer(errorCode.badVersion),
  'not-empty': ofPeer(errorCode.notEmpty),
  'no-children-for-ephemerals': ofPeer(errorCode.noChildrenForEphemerals),
  'no-auth': ofOperator(errorCode.noAuth),
  'auth-failed': ofOperator(errorCode.authFailed, errorCode.sessionClosedRequireSasl),
  'invalid-acl': ofPeer(errorCode.invalidAcl),
  'no-watcher': ofPeer(errorCode.noWatcher),
  'bad-arguments': ofBug(errorCode.badArguments),
  'too-large': ofBug(),
  'quota-exceeded': ofOperator(errorCode.quotaExceeded),
  throttled: passing(errorCode.throttled),
  'session-moved': passing(errorCode.sessionMoved),
  'read-only': ofPeer(errorCode.notReadOnly),
  unimplemented: ofPeer(errorCode.unimplemented),
  'session-lost': passing(errorCode.sessionExpired),
  'connection-lost': passing(errorCode.connectionLoss),
  timeout: passing(errorCode.operationTimeout, errorCode.requestTimeout),
  aborted: ofPeer(),
  closed: ofPeer(),
  overloaded: { ...passing(), blame: 'machine' },
  unreachable: { ...passing(), blame: 'operator' },
  refused: ofOperator(),
  'server-error': ofPeer(),
} satisfies Readonly<Record<string, ErrorKind>>

/** What a caller can branch on. `refused`: another holder lives (membership); `overloaded`: too many calls wait. */
export type ZooKeeperErrorCode = keyof typeof kinds

/**
 * Whether the operation may have happened all the same. `not-done`: it has not and will not. `unknown`: a write was sent
 * and its answer never came; read again before deciding anything.
 */
export type Outcome = 'not-done' | 'unknown'

export interface ZooKeeperErrorOptions {
  readonly outcome?: Outcome
  readonly cause?: unknown
  /** In a failed multi: which of its operations (from 0) failed. */
  readonly operationIndex?: number | undefined
  /** In `refused`: the data of the node that stands in the way. */
  readonly existing?: Uint8Array
  /** In a `bad-version` of configuration and counter: the version there is, to try at next. */
  readonly currentVersion?: number | undefined
}

/** The one error of this package. `retryable` and `blame` follow from the code. */
export class ZooKeeperError extends CatchmentError {
  override readonly code: ZooKeeperErrorCode
  readonly outcome: Outcome
  readonly operationIndex: number | undefined
  readonly existing: Uint8Array | undefined
  readonly currentVersion: number | undefined

  constructor(code: ZooKeeperErrorCode, message: string, options: ZooKeeperErrorOptions = {}) {
    const { blame, retryable } = kinds[code]
    super(code, message, { blame, retryable, cause: options.cause })
    this.name = 'ZooKeeperError'
    this.code = code
    this.outcome = options.outcome ?? 'not-done'
    this.operationIndex = options.operationIndex
    this.existing = options.existing
    this.currentVersion = options.currentVersion
  }
}

export type Hints = Readonly<Partial<Record<ZooKeeperErrorCode, string>>>

/** What to do next, whatever was attempted. */
const hintsOfAll: Hints = {
  'bad-version': 'it changed meanwhile: read it and decide again',
  'not-empty': 'deleteTree() deletes what is below too',
  'no-children-for-ephemerals': 'its parent is ephemeral: create it elsewhere',
}
/** What a server's answer to a creation means. */
export const creationHints: Hints = { 'no-node': 'the node above it is missing; ensurePath() makes it' }
/** Why nothing is done any more, as the rest of a sentence. */
export const sessionClosed = 'the session is closed; open another with openSession()'

const isErrorCode = (name: string): name is ZooKeeperErrorCode => Object.hasOwn(kinds, name)
const codes = Object.keys(kinds).filter(isErrorCode)

/**
 * The error that a server answered with, by its number. `attempt` says what was attempted: "create /a"; `hints` what a code
 * means there and what to do.
 */
export function serverError(number: number, attempt: string, hints?: Hints): ZooKeeperError {
  const code = codes.find((one) => kinds[one].answers.includes(number)) ?? 'server-error'
  const outcome = code === 'connection-lost' || code === 'timeout' || code === 'server-error' ? 'unknown' : 'not-done'
  const hint = hints?.[code] ?? hintsOfAll[code]
  const message = `${attempt}: ZooKeeper answered ${code} [${number}]${hint === undefined ? '' : `: ${hint}`}`
  return new ZooKeeperError(code, message, { outcome })
}

/** The error of one operation of a transaction: its place among those that `of` names stands in place of an earlier one. */
export function atOperation(error: ZooKeeperError, operationIndex: number, of = 'the transaction'): ZooKeeperError {
  const { code, outcome, cause } = error
  const message = error.message.replace(placePattern, '')
  const where = ` (operation ${operationIndex} of ${of}, from 0)`
  return new ZooKeeperError(code, message + where, { outcome, operationIndex, cause })
}
const placePattern = / \(operation \d+ of [^()]+, from 0\)$/

/** The same error, saying what it says of several attempts together. */
export function withOutcome(error: ZooKeeperError, outcome: Outcome): ZooKeeperError {
  const { code, message, operationIndex } = error
  return new ZooKeeperError(code, message, { outcome, cause: error, operationIndex })
}

/**
 * Throws the error of an operation after the first `own` of a transaction, its place counted among those others, which `of`
 * names. They could be done then, and have not been: not by an earlier attempt either.
 */
export function throwRefusal(thrown: unknown, own: number, of: string): void {
  if (!(thrown instanceof ZooKeeperError) || thrown.operationIndex === undefined || thrown.operationIndex < own) return
  throw withOutcome(atOperation(thrown, thrown.operationIndex - own, of), 'not-done')
}

/** The caller's signal has aborted: its reason is the cause, and what that says is part of the message. */
export function abortError(attempt: string, reason: unknown, outcome: Outcome = 'not-done'): ZooKeeperError {
  return new ZooKeeperError('aborted', `${attempt}: aborted by the caller${whyOf(reason)}`, { outcome, cause: reason })
}

/** An abort without a reason has one that says nothing. */
function whyOf(reason: unknown): string {
  if (reason instanceof Error) return reason.name === 'AbortError' || reason.message === '' ? '' : `: ${reason.message}`
  return typeof reason === 'string' && reason !== '' ? `: ${reason}` : ''
}

export function isCode(thrown: unknown, ...codes: readonly ZooKeeperErrorCode[]): thrown is ZooKeeperError {
  return thrown instanceof ZooKeeperError && codes.includes(thrown.code)
}

/** Resolves as `work` does, with undefined where it rejects with one of `codes`. */
export async function ignoring<T>(work: Promise<T>, ...codes: readonly ZooKeeperErrorCode[]): Promise<T | undefined> {
  try {
    return await work
  } catch (thrown) {
    if (isCode(thrown, ...codes)) return undefined
    throw thrown
  }
}
