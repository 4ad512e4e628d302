// Configuration in the tree that every assigner follows live: `/config/<name>`, whose data is the value as JSON.

import { z } from 'zod'
import { policySchema } from './tree.ts'

/** Every known name with what its value has to be. */
export const configurations = { policy: policySchema } as const
export type ConfigurationName = keyof typeof configurations
/** How many versions are kept of each, the current one included. */
export const configurationVersionsMax = 20

const versionSchema = z.number().int().nonnegative()
/** For people who read the history: `alice@host`. */
const bySchema = z.string().min(1).max(100)

export function isConfigurationName(name: string): name is ConfigurationName {
  return Object.hasOwn(configurations, name)
}

/**
 * What is wrong with `value` as the configuration `name`; undefined when nothing is. To be `published` it must have no
 * members that are unknown; what is `followed` may: a newer program has written them.
 */
export function configurationProblem(
  name: ConfigurationName,
  value: unknown,
  use: 'published' | 'followed',
): string | undefined {
  const schema = configurations[name]
  const parsed = (use === 'published' ? schema.strict() : schema).safeParse(value)
  const issue = parsed.error?.issues[0]
  if (issue === undefined) return undefined
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`
}

/** One version: `by` is empty for one that was written by hand, `problem` says why it is not followed. */
export const configurationVersionSchema = z.object({
  version: versionSchema,
  by: z.string(),
  at: z.number().nonnegative(),
  /** Absent where the node holds no JSON. */
  value: z.unknown().optional(),
  problem: z.string().optional(),
})
export type ConfigurationVersion = z.infer<typeof configurationVersionSchema>

/** GET /v1/config/:name; PUT /v1/config/:name; POST /v1/config/:name/rollback: what is current then. */
export const configurationAnswerSchema = z.object({ name: z.string(), current: configurationVersionSchema.optional() })
export type ConfigurationAnswer = z.infer<typeof configurationAnswerSchema>

/** GET /v1/config/:name/history: the versions that are kept, the newest first. */
export const configurationHistorySchema = z.object({
  name: z.string(),
  versions: z.array(configurationVersionSchema),
})
export type ConfigurationHistory = z.infer<typeof configurationHistorySchema>

/** PUT /v1/config/:name. `expect`: only if that is the current version (0: if there was none). */
export const configurationRequestSchema = z.object({
  value: z.unknown(),
  by: bySchema,
  expect: versionSchema.optional(),
})
export type ConfigurationRequest = z.infer<typeof configurationRequestSchema>

/** POST /v1/config/:name/rollback: publish again what `version` was. */
export const rollbackRequestSchema = z.object({
  version: versionSchema,
  by: bySchema,
  expect: versionSchema.optional(),
})
export type RollbackRequest = z.infer<typeof rollbackRequestSchema>

/** `/services/assigner/<id>`: where an assigner answers. `startedAt` (ms since 1970): the later of two takes the name. */
export const assignerEndpointSchema = z.object({
  url: z.url({ protocol: /^https?$/ }),
  startedAt: z.number().nonnegative(),
  incarnation: z.string().min(1).max(64),
})
export type AssignerEndpoint = z.infer<typeof assignerEndpointSchema>
export const assignerServiceName = 'assigner'

/** GET /v1/entry-points: the assigners that can be asked. `stale`: this assigner is cut off from ZooKeeper. */
export const entryPointsAnswerSchema = z.object({
  stale: z.boolean(),
  entryPoints: z.array(z.object({ id: z.string(), url: z.url({ protocol: /^https?$/ }) })),
})
export type EntryPointsAnswer = z.infer<typeof entryPointsAnswerSchema>
