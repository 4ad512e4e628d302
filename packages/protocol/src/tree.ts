// The contents of the tree's znodes. Unknown members are ignored, not refused: a newer program may write more.

import { z } from 'zod'
import { epochSchema, groupNameSchema, memberIdSchema } from './ids.ts'

const atSchema = z.number().nonnegative()

/** What a group costs: raw bytes and records a second, smoothed; and what waits at the source. */
export const loadSchema = z.object({
  bytesPerSecond: z.number().nonnegative(),
  recordsPerSecond: z.number().nonnegative(),
})
export type Load = z.infer<typeof loadSchema>

/** An owned group that is served by its owner. `load` is a class: 0 unknown, else 1 + log2 of bytes/s, rounded. */
export const ownedSchema = z.object({ since: epochSchema, load: z.number().int().min(0).max(64).default(0) })
export type OwnedGroup = z.infer<typeof ownedSchema>

/** An owned group that `to` serves while its owner is away. `at`: when the loan began, ms since 1970. */
export const lentSchema = z.object({ to: memberIdSchema, since: epochSchema, at: atSchema })
export type Lent = z.infer<typeof lentSchema>

/** A group served for its absent owner `from`. */
export const borrowedSchema = z.object({ from: memberIdSchema, since: epochSchema, at: atSchema })
export type Borrowed = z.infer<typeof borrowedSchema>

/** Where a group went that left this collector with `epoch`; kept for 10 minutes. */
export const movedSchema = z.object({ to: memberIdSchema, epoch: epochSchema, at: atSchema })
export type Moved = z.infer<typeof movedSchema>

/**
 * `/collector/<id>`: its groups. A collector serves `owned` and `borrowed`. A group stands in the `owned` or `lent` of at
 * most one list and in the `borrowed` of at most one. `epoch` is that of the last publish that wrote this list.
 */
export const collectorListSchema = z.object({
  epoch: epochSchema,
  owned: z.record(groupNameSchema, ownedSchema),
  lent: z.record(groupNameSchema, lentSchema),
  borrowed: z.record(groupNameSchema, borrowedSchema),
  moved: z.record(groupNameSchema, movedSchema),
})
export type CollectorList = z.infer<typeof collectorListSchema>

export const emptyCollectorList: CollectorList = { epoch: 0, owned: {}, lent: {}, borrowed: {}, moved: {} }

/** A class of load of one byte, for a new leader that has measured nothing yet: see `ownedSchema`. */
export function loadClass(bytesPerSecond: number): number {
  return bytesPerSecond < 1 ? 0 : Math.min(64, 1 + Math.round(Math.log2(bytesPerSecond)))
}

export const collectorStateSchema = z.enum(['serving', 'stopping'])
export type CollectorState = z.infer<typeof collectorStateSchema>

/** `/collector/<id>/status`, ephemeral. `dataId` names the data directory, `starts` counts its starts. */
export const collectorStatusSchema = z.object({
  id: memberIdSchema,
  dataId: z.string().min(1).max(64),
  starts: z.number().int().positive(),
  incarnation: z.string().min(1).max(64),
  url: z.url(),
  zone: z.string().max(64),
  capacity: loadSchema,
  state: collectorStateSchema,
  load: loadSchema,
  appliedEpoch: epochSchema,
  reportedAt: atSchema,
})
export type CollectorStatus = z.infer<typeof collectorStatusSchema>

/** `/collector/<id>/admin`: what an operator wants of it. Absent means serve. `why` names the command that wrote it. */
export const adminSchema = z.object({
  want: z.enum(['serve', 'cordon', 'drain']),
  at: atSchema,
  why: z.string().optional(),
})
export type Admin = z.infer<typeof adminSchema>

/**
 * `/assigner/leader`: the fence. Its znode version is checked by every publish. Terms count the claims of this znode, so a
 * tree that was lost and recreated begins at 1 again; what must outlive the tree is ordered by its epoch.
 */
export const leaderSchema = z.object({
  id: memberIdSchema,
  term: z.number().int().positive(),
  url: z.url(),
  at: atSchema,
})
export type Leader = z.infer<typeof leaderSchema>

/** A candidate's own node: who stands for election and where it answers. */
export const candidateSchema = z.object({ id: memberIdSchema, url: z.url() })
export type Candidate = z.infer<typeof candidateSchema>

/** `/assignment`: the manifest. */
export const manifestSchema = z.object({
  epoch: epochSchema,
  at: atSchema,
  why: z.string(),
  term: z.number().int().nonnegative(),
})
export type Manifest = z.infer<typeof manifestSchema>

/**
 * Which groups change their collector when collectors come and go. `local`: as few as possible; `global`: all are planned
 * again; `hash-ring`: a group's name decides who owns it, whatever the loads.
 */
export const redistributionSchema = z.enum(['local', 'global', 'hash-ring'])
export type Redistribution = z.infer<typeof redistributionSchema>

/** `/config/policy`: settings of the assignment that every assigner follows live. */
export const policySchema = z.object({ redistribution: redistributionSchema.default('local') })
export type Policy = z.infer<typeof policySchema>

/** One change of a group's place. `how`: what the group became at `to`. */
export const journalMoveSchema = z.object({
  group: groupNameSchema,
  from: memberIdSchema.optional(),
  to: memberIdSchema,
  how: z.enum(['owned', 'lent', 'returned', 'kept']),
  why: z.string(),
})
export type JournalMove = z.infer<typeof journalMoveSchema>

/** `/assignment/journal/e-<epoch>`: one decision. At most `journalMovesMax` moves are listed; `moveCount` counts all. */
export const journalEntrySchema = z.object({
  epoch: epochSchema,
  term: z.number().int().nonnegative(),
  leader: memberIdSchema,
  at: atSchema,
  why: z.string(),
  moves: z.array(journalMoveSchema),
  moveCount: z.number().int().nonnegative(),
})
export type JournalEntry = z.infer<typeof journalEntrySchema>
export const journalMovesMax = 1000
export const journalEntriesMax = 1000

/** The name of a decision's znode; sorts by epoch. */
export function journalNodeName(epoch: number): string {
  return `e-${String(epoch).padStart(12, '0')}`
}

/** `/housekeeping/absences`: since when (ms since 1970) a sweep has found collectors without a status. */
export const absencesSchema = z.record(memberIdSchema, atSchema)
export type Absences = z.infer<typeof absencesSchema>
