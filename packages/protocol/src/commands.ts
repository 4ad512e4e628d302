// Operators' commands about a collector. A command is an item of the queue `/commands`; the leader takes
// one after the other and commits its effect, its removal and its outcome in one transaction.

import { z } from 'zod'
import { epochSchema, memberIdSchema } from './ids.ts'

/** Commands that may wait; the next is refused until the leader has caught up. */
export const commandsWaitingMax = 1_000
/** How many outcomes are kept, the newest ones. */
export const outcomesMax = 100
/** How long the answer to POST /v1/commands may wait for the outcome. */
export const commandWaitMsMax = 30_000

/**
 * - `drain`: give away what it serves, and get nothing. `cordon`: keep what it serves, and get nothing new.
 * - `serve`: the end of both. `forget`: a collector that is gone for good: take over what it owns, delete its nodes.
 */
export const commandVerbSchema = z.enum(['drain', 'cordon', 'serve', 'forget'])
export type CommandVerb = z.infer<typeof commandVerbSchema>

/** Chosen by the client: a request that is sent twice is one command. */
const commandIdSchema = z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, {
  error: 'the id of a command is 1 to 100 of [A-Za-z0-9_-]',
})
/** For people who read the journal: `alice@host`. */
const bySchema = z.string().min(1).max(100)

/** `/commands/items/…`: what is asked of the collector `target`, by whom, when (ms since 1970). */
export const commandSchema = z.object({
  id: commandIdSchema,
  verb: commandVerbSchema,
  target: memberIdSchema,
  by: bySchema,
  at: z.number().nonnegative(),
})
export type Command = z.infer<typeof commandSchema>

/** What became of a command. `refused`: a rule forbids it. `failed`: it was tried and cannot be done. Both changed nothing. */
export const commandOutcomeSchema = commandSchema.extend({
  outcome: z.enum(['done', 'refused', 'failed']),
  text: z.string(),
  doneAt: z.number().nonnegative(),
  leader: memberIdSchema,
  term: z.number().int().nonnegative(),
  /** That of the assignment when it was done. */
  epoch: epochSchema,
})
export type CommandOutcome = z.infer<typeof commandOutcomeSchema>

/** `/outcomes`: the last outcomes, the newest first. */
export const outcomesSchema = z.array(commandOutcomeSchema)

/** POST /v1/commands of an assigner. With the id of an earlier request it is that command again, not another. */
export const commandRequestSchema = z.object({
  id: commandIdSchema,
  verb: commandVerbSchema,
  target: memberIdSchema,
  by: bySchema,
  waitMs: z.number().int().min(0).max(commandWaitMsMax).default(0),
})
export type CommandRequest = z.infer<typeof commandRequestSchema>

/** `outcome` is absent while the command waits: ask again, or look at GET /v1/commands. */
export const commandAnswerSchema = z.object({ command: commandSchema, outcome: commandOutcomeSchema.optional() })
export type CommandAnswer = z.infer<typeof commandAnswerSchema>

/** GET /v1/commands: what waits, the next first (at most 100 are listed, `waitingCount` counts all), and the last outcomes. */
export const commandsAnswerSchema = z.object({
  waiting: z.array(commandSchema),
  waitingCount: z.number().int().nonnegative(),
  outcomes: z.array(commandOutcomeSchema),
})
export type CommandsAnswer = z.infer<typeof commandsAnswerSchema>
export const commandsToldMax = 100

/** A command as reasons and the journal name it. */
export function commandText({ id, verb, target, by }: Pick<Command, 'id' | 'verb' | 'target' | 'by'>): string {
  return `${verb} ${target}, asked by ${by} (command ${id})`
}
