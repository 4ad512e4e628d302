import { CatchmentError, type Blame } from '@catchment/runtime'

/** What a caller can branch on. `refused`: another holder lives (membership); `overloaded`: too many calls wait. */
export type ZooKeeperErrorCode =
  | 'no-node'
  | 'node-exists'
  | 'bad-version'
  | 'not-empty'
  | 'no-children-for-ephemerals'
  | 'no-auth'
  | 'auth-failed'
  | 'invalid-acl'
  | 'no-watcher'
  | 'bad-arguments'
  | 'too-large'
  | 'quota-exceeded'
  | 'throttled'
  | 'session-moved'
  | 'read-only'
  | 'unimplemented'
  | 'session-lost'
  | 'connection-lost'
  | 'timeout'
  | 'aborted'
  | 'closed'
  | 'overloaded'
  | 'unreachable'
  | 'refused'
  | 'server-error'

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
    const kind = kinds.get(code) ?? { blame: 'peer', retryable: false }
    super(code, message, { ...kind, cause: options.cause })
    this.name = 'ZooKeeperError'
    this.code = code
    this.outcome = options.outcome ?? 'not-done'
    this.operationIndex = options.operationIndex
    this.existing = options.existing
    this.currentVersion = options.currentVersion
  }
}

const passing: { blame: Blame; retryable: boolean } = { blame: 'peer', retryable: true }

const kinds = new Map<ZooKeeperErrorCode, { blame: Blame; retryable: boolean }>([
  ['connection-lost', passing],
  ['session-lost', passing],
  ['session-moved', passing],
  ['timeout', passing],
  ['throttled', passing],
  ['overloaded', { blame: 'machine', retryable: true }],
  ['unreachable', { blame: 'operator', retryable: true }],
  ['refused', { blame: 'operator', retryable: false }],
  ['no-auth', { blame: 'operator', retryable: false }],
  ['auth-failed', { blame: 'operator', retryable: false }],
  ['quota-exceeded', { blame: 'operator', retryable: false }],
  ['bad-arguments', { blame: 'bug', retryable: false }],
  ['too-large', { blame: 'bug', retryable: false }],
])

// org.apache.zookeeper.KeeperException.Code; a number that is not here is a server-error, never a throw.
const serverCodes = new Map<number, ZooKeeperErrorCode>([
  [-4, 'connection-lost'],
  [-6, 'unimplemented'],
  [-7, 'timeout'],
  [-8, 'bad-arguments'],
  [-101, 'no-node'],
  [-102, 'no-auth'],
  [-103, 'bad-version'],
  [-108, 'no-children-for-ephemerals'],
  [-110, 'node-exists'],
  [-111, 'not-empty'],
  [-112, 'session-lost'],
  [-114, 'invalid-acl'],
  [-115, 'auth-failed'],
  [-118, 'session-moved'],
  [-119, 'read-only'],
  [-121, 'no-watcher'],
  [-122, 'timeout'],
  [-124, 'auth-failed'],
  [-125, 'quota-exceeded'],
  [-127, 'throttled'],
])

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

/**
 * The error that a server answered with, by its number. `attempt` says what was attempted: "create /a"; `hints` what a code
 * means there and what to do.
 */
export function serverError(number: number, attempt: string, hints?: Hints): ZooKeeperError {
  const code = serverCodes.get(number) ?? 'server-error'
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

/** The caller's signal has aborted: its reason is the cause, and what that says is told. */
export function aborted(attempt: string, reason: unknown, outcome: Outcome = 'not-done'): ZooKeeperError {
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
