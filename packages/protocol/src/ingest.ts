// PUT /v1/frames: what an agent sends to a collector, and the answer. The body is a preamble, then frames, one after
// another:
//
//   0  magic "CTCR"   4  version u8, three bytes 0   8  length of the JSON u32   12  the JSON   then the frames
//
// The answer is 200 with one result per frame, in their order, whenever the request itself could be read and taken; the
// result's `status` is the HTTP status that the frame alone would have got.

import { z } from 'zod'
import { ProtocolError } from './errors.ts'
import { epochSchema, groupNameSchema, memberIdSchema, streamIdSchema } from './ids.ts'
import { parseJson } from './znode.ts'

export const framesPath = '/v1/frames'
export const framesContentType = 'application/vnd.catchment.frames'
export const preambleMagic = Buffer.from('CTCR')
const preambleVersion = 1
const preambleFixedBytes = 12
export const preambleJsonBytesMax = 1024 * 1024
export const requestBytesMax = 32 * 1024 * 1024

/** Who sends: a lower start count, or an equal one with another incarnation, is refused: another agent uses this id. */
export const agentIdentitySchema = z.object({
  id: memberIdSchema,
  starts: z.number().int().positive(),
  incarnation: z.string().min(1).max(64),
})
export type AgentIdentity = z.infer<typeof agentIdentitySchema>

/**
 * Per group of the agent: the epoch of the list it was given, and the offered load: raw bytes and records appended since
 * the last request that was answered, over `overMs`, and the backlog that waits in the files.
 */
export const groupReportSchema = z.object({
  group: groupNameSchema,
  epoch: epochSchema,
  offeredBytes: z.number().nonnegative(),
  offeredRecords: z.number().nonnegative(),
  overMs: z.number().nonnegative(),
  backlogBytes: z.number().nonnegative(),
})
export type GroupReport = z.infer<typeof groupReportSchema>

export const preambleSchema = z.object({ agent: agentIdentitySchema, groups: z.array(groupReportSchema).max(100_000) })
export type Preamble = z.infer<typeof preambleSchema>

const rangeSchema = z.object({ from: z.number().int().nonnegative(), to: z.number().int().nonnegative() })
/** Consecutive bytes [from, to) of a stream. */
export type ByteRange = z.infer<typeof rangeSchema>

const resultBase = { stream: streamIdSchema, start: z.number().int().nonnegative() }
/**
 * What became of a frame.
 * - `stored`, `duplicate`: all of it is durable; `durable` is the held range around it.
 * - `overlap`: part of it is held; send from `durable.to` on (the range around the frame's start), or, where the frame
 *   begins before what is held, up to `boundary`.
 * - `expected`: it neither begins a range nor extends one; `expected` is the end of the newest range, absent for an
 *   unknown stream: declare a new range, or begin there.
 * - `misdirected`: another collector serves the group; `to` where it went, if known.
 * - `behind`: this collector does not know the quoted epoch yet: again after `retryAfterMs`.
 * - `diverged`: the bytes before the frame are held with another content: begin a new stream.
 * - `corrupt`: the payload's checksum is wrong: send it again.
 * - `no-space`: the disk is full: again after `retryAfterMs`.
 */
export const frameResultSchema = z.discriminatedUnion('outcome', [
  z.object({ ...resultBase, outcome: z.literal('stored'), status: z.literal(200), durable: rangeSchema }),
  z.object({ ...resultBase, outcome: z.literal('duplicate'), status: z.literal(200), durable: rangeSchema }),
  z.object({
    ...resultBase,
    outcome: z.literal('overlap'),
    status: z.literal(409),
    boundary: z.number().int().nonnegative(),
    durable: rangeSchema.optional(),
  }),
  z.object({
    ...resultBase,
    outcome: z.literal('expected'),
    status: z.literal(409),
    expected: z.number().int().nonnegative().optional(),
    durable: rangeSchema.optional(),
  }),
  z.object({
    ...resultBase,
    outcome: z.literal('misdirected'),
    status: z.literal(421),
    group: groupNameSchema,
    epoch: epochSchema,
    to: memberIdSchema.optional(),
  }),
  z.object({
    ...resultBase,
    outcome: z.literal('behind'),
    status: z.literal(503),
    retryAfterMs: z.number().nonnegative(),
  }),
  z.object({ ...resultBase, outcome: z.literal('diverged'), status: z.literal(422), durable: rangeSchema.optional() }),
  z.object({ ...resultBase, outcome: z.literal('corrupt'), status: z.literal(422) }),
  z.object({
    ...resultBase,
    outcome: z.literal('no-space'),
    status: z.literal(507),
    retryAfterMs: z.number().nonnegative(),
  }),
])
export type FrameResult = z.infer<typeof frameResultSchema>

/** `stale`: the collector is cut off from ZooKeeper and uses the list that it last read. `creditBytes`: raw bytes it has room for. */
export const framesAnswerSchema = z.object({
  collector: memberIdSchema,
  epoch: epochSchema,
  stale: z.boolean(),
  creditBytes: z.number().nonnegative(),
  results: z.array(frameResultSchema),
})
export type FramesAnswer = z.infer<typeof framesAnswerSchema>

/** The body of every answer that is not 2xx, of every server of ours. */
export const errorAnswerSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), retryAfterMs: z.number().nonnegative().optional() }),
})
export type ErrorAnswer = z.infer<typeof errorAnswerSchema>

export function encodePreamble(preamble: Preamble): Buffer {
  const json = Buffer.from(JSON.stringify(preamble))
  if (json.length > preambleJsonBytesMax)
    throw new ProtocolError(
      'too-large',
      `a preamble has at most ${preambleJsonBytesMax} bytes, this one ${json.length}`,
    )
  const fixed = Buffer.alloc(preambleFixedBytes)
  preambleMagic.copy(fixed)
  fixed.writeUInt8(preambleVersion, 4)
  fixed.writeUInt32LE(json.length, 8)
  return Buffer.concat([fixed, json])
}

/** The preamble of a request's body, and where the frames begin. Throws ProtocolError. */
export function decodePreamble(body: Buffer): { preamble: Preamble; framesOffset: number } {
  if (body.length < preambleFixedBytes)
    throw new ProtocolError('truncated', `a preamble has ${preambleFixedBytes} bytes or more, ${body.length} are here`)
  if (preambleMagic.compare(body, 0, 4) !== 0)
    throw new ProtocolError('bad-magic', 'the body does not begin with a preamble')
  const version = body.readUInt8(4)
  if (version !== preambleVersion)
    throw new ProtocolError('bad-version', `preamble version ${version}, this program knows ${preambleVersion}`)
  const jsonBytes = body.readUInt32LE(8)
  if (jsonBytes > preambleJsonBytesMax)
    throw new ProtocolError('bad-length', `a preamble of ${jsonBytes} bytes, the limit is ${preambleJsonBytesMax}`)
  const framesOffset = preambleFixedBytes + jsonBytes
  if (body.length < framesOffset)
    throw new ProtocolError('truncated', `a preamble of ${framesOffset} bytes, ${body.length} are here`)
  const preamble = parseJson(preambleSchema, body.toString('utf8', preambleFixedBytes, framesOffset), 'the preamble')
  return { preamble, framesOffset }
}
