/** What a decoder found wrong with bytes or JSON from elsewhere. */
export type ProtocolErrorCode =
  'truncated' | 'bad-magic' | 'bad-version' | 'bad-length' | 'bad-checksum' | 'bad-value' | 'bad-json' | 'too-large'

/** Thrown by every decoder of this package, and by nothing else here. The peer's fault, never worth a crash. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode

  constructor(code: ProtocolErrorCode, message: string) {
    super(message)
    this.name = 'ProtocolError'
    this.code = code
  }
}
