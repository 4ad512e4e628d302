// Bytes as a hostile peer, a bad disk or a cut connection leaves them, and what a decoder may do with them.

import fc from 'fast-check'
import { ProtocolError, type ProtocolErrorCode } from '../src/index.ts'

/** Bytes of `whole` with some bytes changed, cut off, inserted or repeated. */
export function damaged(whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const change = fc.record({
    kind: fc.constantFrom('flip', 'set', 'cut', 'insert', 'repeat'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    byte: fc.nat(255),
  })
  return fc.tuple(whole, fc.array(change, { minLength: 1, maxLength: 4 })).map(([bytes, changes]) => {
    let result = Buffer.from(bytes)
    for (const { kind, at, byte } of changes) {
      const index = Math.min(result.length, Math.floor(at * (result.length + 1)))
      if (kind === 'cut') result = result.subarray(0, index)
      else if (kind === 'insert')
        result = Buffer.concat([result.subarray(0, index), Buffer.from([byte]), result.subarray(index)])
      else if (kind === 'repeat') result = Buffer.concat([result, result.subarray(index)])
      else if (index < result.length) result[index] = kind === 'set' ? byte : (result[index] ?? 0) ^ (1 << (byte & 7))
    }
    return result
  })
}

/** The value of `decode`, undefined where it threw a ProtocolError; any other error is thrown on: a defect. */
export function valueOrProtocolError<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (thrown) {
    if (thrown instanceof ProtocolError) return undefined
    throw thrown
  }
}

/** The code of the ProtocolError that `work` throws, undefined where it throws none. */
export function codeThrown(work: () => unknown): ProtocolErrorCode | undefined {
  try {
    work()
    return undefined
  } catch (thrown) {
    if (thrown instanceof ProtocolError) return thrown.code
    throw thrown
  }
}
