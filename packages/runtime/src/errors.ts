/** Whose fault an error is: it decides who is to act, and what they can do. */
export type Blame = 'bug' | 'operator' | 'peer' | 'machine'

/**
 * An error with a code to branch on. The message says what was attempted, the rule, the value, and what to do.
 * `retryable` says whether the same attempt may succeed later without anyone doing anything.
 */
export class CatchmentError extends Error {
  readonly code: string
  readonly blame: Blame
  readonly retryable: boolean

  constructor(code: string, message: string, options: { blame: Blame; retryable?: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CatchmentError'
    this.code = code
    this.blame = options.blame
    this.retryable = options.retryable ?? false
  }
}

/** The code of an error of ours or of Node (`ENOENT`, `ECONNREFUSED`, …), else undefined. */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}

/** What was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
