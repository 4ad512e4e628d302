// What a znode holds: JSON that a person can read with zkCli, and past 64 KiB the same JSON as gzip, which its own first
// two bytes (1f 8b) mark.

import { gunzipSync, gzipSync } from 'node:zlib'
import type { z } from 'zod'
import { ProtocolError } from './errors.ts'

export const znodePlainBytesMax = 64 * 1024
/** What a znode may weigh: ZooKeeper refuses 1 MiB, and a transaction holds several. */
export const znodeBytesMax = 512 * 1024
/** What a compressed znode may grow to: a list of some 400,000 groups. */
const znodeExpandedBytesMax = 64 * 1024 * 1024

/** The bytes of `value`. Throws ProtocolError `too-large` past 512 KiB. */
export function encodeZnode(value: unknown): Buffer {
  const plain = Buffer.from(JSON.stringify(value))
  if (plain.length <= znodePlainBytesMax) return plain
  const packed = gzipSync(plain, { level: 6 })
  if (packed.length > znodeBytesMax)
    throw new ProtocolError(
      'too-large',
      `a znode holds at most ${znodeBytesMax} bytes compressed, this is ${packed.length}`,
    )
  return packed
}

/** The value in `bytes`, checked by `schema`. Throws ProtocolError for anything else. */
export function decodeZnode<T>(schema: z.ZodType<T>, bytes: Uint8Array, path: string): T {
  return parseJson(schema, expand(bytes, path), path)
}

/** `text` as JSON that fits `schema`; `what` names it in the error. */
export function parseJson<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (thrown) {
    throw new ProtocolError(
      'bad-json',
      `${what} is not JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    )
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const problem = parsed.error.issues[0]
  const place = problem === undefined || problem.path.length === 0 ? '' : ` at ${problem.path.join('.')}`
  throw new ProtocolError(
    'bad-value',
    `${what} does not have the expected form${place}: ${problem?.message ?? 'unknown'}`,
  )
}

function expand(bytes: Uint8Array, path: string): string {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return Buffer.from(bytes).toString('utf8')
  try {
    return gunzipSync(bytes, { maxOutputLength: znodeExpandedBytesMax }).toString('utf8')
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new ProtocolError('bad-value', `${path} begins like gzip and cannot be expanded: ${reason}`)
  }
}
