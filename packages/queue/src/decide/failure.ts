// What a failed command says about Redis. Callers branch on the cause; the text of an error is read here and nowhere else.

/** Why Redis does not serve; `other` is what this table does not know. */
export type FailureCause =
  'away' | 'hanging' | 'out-of-memory' | 'read-only' | 'loading' | 'unwritable' | 'refused' | 'no-quorum' | 'other'

const causes: readonly (readonly [pattern: RegExp, cause: FailureCause])[] = [
  [/\bOOM\b/, 'out-of-memory'],
  [/\bREADONLY\b/, 'read-only'],
  [/\b(LOADING|BUSY|TRYAGAIN|MASTERDOWN)\b/, 'loading'],
  [/\b(MISCONF|NOREPLICAS)\b/, 'unwritable'],
  [/\b(NOAUTH|WRONGPASS|NOPERM)\b|\binvalid password\b|without any password configured/, 'refused'],
  [/\bCLUSTERDOWN\b|Failed to refresh slots cache|All sentinels are unreachable/, 'no-quorum'],
  [/Command timed out|Blocking command timed out/, 'hanging'],
  [
    /ECONNREFUSED|ECONNRESET|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|Connection is closed|isn't writeable|max retries per request|self.signed certificate|certificate|wrong version number|packet length too long/i,
    'away',
  ],
]

/** The cause that the text of an error names. */
export function failureCause(message: string): FailureCause {
  return causes.find(([pattern]) => pattern.test(message))?.[1] ?? 'other'
}
