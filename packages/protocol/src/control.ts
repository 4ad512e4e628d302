// The JSON of every route but PUT /v1/frames: what agents and operators ask, and what assigners and collectors answer.

import { z } from 'zod'
import { epochSchema, groupNameSchema, memberIdSchema } from './ids.ts'
import { agentIdentitySchema } from './ingest.ts'
import { collectorStateSchema, journalMoveSchema, leaderSchema, loadSchema, redistributionSchema } from './tree.ts'

/** GET /v1/load of a collector: what its groups offer. `sources`: how many sources sent for the group of late. */
export const loadAnswerSchema = z.object({
  collector: memberIdSchema,
  appliedEpoch: epochSchema,
  total: loadSchema,
  groups: z.array(
    z.object({
      group: groupNameSchema,
      load: loadSchema,
      backlogBytes: z.number().nonnegative(),
      sources: z.number().int().nonnegative(),
    }),
  ),
})
export type LoadAnswer = z.infer<typeof loadAnswerSchema>

export const resolveGroupsMax = 10_000
export const resolveWaitMsMax = 30_000

/**
 * POST /v1/resolve of an assigner: where do these groups go? `refusedBy` and `epoch`: the collector that refused or did
 * not answer, and the newest epoch the agent has seen; the answer waits up to `waitMs` for something newer or other.
 * `refusedUrl`: where that collector was looked for; when it lives elsewhere by now there is nothing to wait for.
 */
export const resolveRequestSchema = z.object({
  agent: agentIdentitySchema.optional(),
  groups: z
    .array(
      z.object({
        group: groupNameSchema,
        epoch: epochSchema.optional(),
        refusedBy: memberIdSchema.optional(),
        refusedUrl: z.url().optional(),
      }),
    )
    .min(1)
    .max(resolveGroupsMax),
  waitMs: z.number().int().min(0).max(resolveWaitMsMax).default(0),
})
export type ResolveRequest = z.infer<typeof resolveRequestSchema>

/** `epoch` of an assignment is that of the collector's list: the agent quotes it. `pending`: no collector serves it yet, and why. */
export const resolveAnswerSchema = z.object({
  epoch: epochSchema,
  ageMs: z.number().nonnegative(),
  assigned: z.array(z.object({ group: groupNameSchema, collector: memberIdSchema, url: z.url(), epoch: epochSchema })),
  pending: z.array(z.object({ group: groupNameSchema, reason: z.string() })),
})
export type ResolveAnswer = z.infer<typeof resolveAnswerSchema>

/** A group as the tree shows it below the collector that serves it, or below its owner while that one is away. */
export const treeGroupSchema = z.object({
  group: groupNameSchema,
  how: z.enum(['owned', 'borrowed', 'lent']),
  /** Borrowed from, or lent to. */
  peer: memberIdSchema.optional(),
  since: epochSchema,
  load: loadSchema.optional(),
})
export type TreeGroup = z.infer<typeof treeGroupSchema>

export const treeCollectorSchema = z.object({
  id: memberIdSchema,
  state: z.union([collectorStateSchema, z.literal('gone')]),
  admin: z.enum(['serve', 'cordon', 'drain']),
  url: z.url().optional(),
  zone: z.string().optional(),
  capacity: loadSchema.optional(),
  load: loadSchema.optional(),
  pressure: z.number().nonnegative().optional(),
  listEpoch: epochSchema,
  appliedEpoch: epochSchema.optional(),
  groups: z.array(treeGroupSchema),
})
export type TreeCollector = z.infer<typeof treeCollectorSchema>

/** What keeps an assigner from planning as it should, and what an operator can do about it. */
const problemSchema = z.object({ what: z.string(), todo: z.string() })
export type Problem = z.infer<typeof problemSchema>

/** GET /v1/tree of an assigner. `answeredBy` may be a standby; `ageMs` since it last heard of the tree. */
export const treeAnswerSchema = z.object({
  root: z.string(),
  epoch: epochSchema,
  at: z.number(),
  ageMs: z.number().nonnegative(),
  answeredBy: memberIdSchema,
  leader: leaderSchema.optional(),
  assigners: z.array(z.object({ id: memberIdSchema, url: z.url(), leads: z.boolean() })),
  redistribution: redistributionSchema,
  imbalance: z.number().nonnegative(),
  frozen: z.string().optional(),
  problems: z.array(problemSchema).optional(),
  collectors: z.array(treeCollectorSchema),
})
export type TreeAnswer = z.infer<typeof treeAnswerSchema>

/** GET /v1/groups/:group/explain: where it is, and every decision in the journal that names it, newest first. */
export const explainAnswerSchema = z.object({
  group: groupNameSchema,
  epoch: epochSchema,
  servedBy: memberIdSchema.optional(),
  ownedBy: memberIdSchema.optional(),
  how: z.enum(['owned', 'borrowed', 'unserved', 'unknown']),
  load: loadSchema.optional(),
  decisions: z.array(journalMoveSchema.extend({ epoch: epochSchema, at: z.number(), leader: memberIdSchema })),
})
export type ExplainAnswer = z.infer<typeof explainAnswerSchema>

/** POST /v1/rebalance: plan again, now. */
export const rebalanceRequestSchema = z.object({ mode: redistributionSchema, dryRun: z.boolean().default(false) })
export type RebalanceRequest = z.infer<typeof rebalanceRequestSchema>

export const rebalanceAnswerSchema = z.object({
  epoch: epochSchema,
  published: z.boolean(),
  imbalanceBefore: z.number().nonnegative(),
  imbalanceAfter: z.number().nonnegative(),
  moves: z.array(journalMoveSchema),
})
export type RebalanceAnswer = z.infer<typeof rebalanceAnswerSchema>

/** GET /v1/status of a collector. */
export const collectorStatusAnswerSchema = z.object({
  id: memberIdSchema,
  state: collectorStateSchema,
  session: z.enum(['connected', 'suspended', 'lost', 'closed']),
  appliedEpoch: epochSchema,
  groups: z.number().int().nonnegative(),
  load: loadSchema,
  disk: z.object({ dataBytes: z.number(), dataBytesMax: z.number(), undeliveredBytes: z.number() }),
  mirror: z.string(),
  streams: z.number().int().nonnegative(),
  counters: z.record(z.string(), z.number()),
})
export type CollectorStatusAnswer = z.infer<typeof collectorStatusAnswerSchema>
