// The paths below the root of the tree.

import { z } from 'zod'
import { ProtocolError } from './errors.ts'

const rootRule =
  'the root of the tree is a path like /logs: names of [A-Za-z0-9._-], each after a slash; no . or .., no slash at its end'

/** The root of a tree, for settings. */
export const treeRootSchema = z
  .string()
  .regex(/^(?:\/[A-Za-z0-9._-]+)+$/, { error: rootRule })
  .refine((root) => !root.split('/').some((part) => part === '.' || part === '..') && root !== '/zookeeper', {
    error: rootRule,
  })

export interface TreePaths {
  readonly root: string
  readonly collectors: string
  readonly candidates: string
  readonly leader: string
  readonly assignment: string
  readonly journal: string
  readonly config: string
  readonly commands: string
  readonly outcomes: string
  readonly housekeeping: string
  readonly sweeping: string
  readonly absences: string
  readonly services: string
  collector(id: string): string
  status(id: string): string
  admin(id: string): string
  configOf(name: string): string
}

/** The name of a collector's ephemeral child. */
export const statusNodeName = 'status'

/** All paths below `root`, for example `/logs`. Throws ProtocolError `bad-value` for a root that ZooKeeper would refuse. */
export function treePaths(root: string): TreePaths {
  if (!treeRootSchema.safeParse(root).success) throw new ProtocolError('bad-value', `not "${root}": ${rootRule}`)
  const collectors = `${root}/collector`
  const assignment = `${root}/assignment`
  const config = `${root}/config`
  return {
    root,
    collectors,
    candidates: `${root}/assigner/candidates`,
    leader: `${root}/assigner/leader`,
    assignment,
    journal: `${assignment}/journal`,
    config,
    commands: `${root}/commands`,
    outcomes: `${root}/outcomes`,
    housekeeping: `${root}/housekeeping/slots`,
    sweeping: `${root}/housekeeping/sweeping`,
    absences: `${root}/housekeeping/absences`,
    services: `${root}/services`,
    collector: (id) => `${collectors}/${id}`,
    status: (id) => `${collectors}/${id}/${statusNodeName}`,
    admin: (id) => `${collectors}/${id}/admin`,
    configOf: (name) => `${config}/${name}`,
  }
}
