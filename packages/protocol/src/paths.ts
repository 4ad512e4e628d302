// Where things stand below the root of the tree.

export interface TreePaths {
  readonly root: string
  readonly collectors: string
  readonly candidates: string
  readonly leader: string
  readonly assignment: string
  readonly journal: string
  readonly config: string
  collector(id: string): string
  status(id: string): string
  admin(id: string): string
  configOf(name: string): string
}

/** The name of a collector's ephemeral child. */
export const statusNodeName = 'status'

/** All paths below `root`, for example `/logs`. */
export function treePaths(root: string): TreePaths {
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
    collector: (id) => `${collectors}/${id}`,
    status: (id) => `${collectors}/${id}/${statusNodeName}`,
    admin: (id) => `${collectors}/${id}/admin`,
    configOf: (name) => `${config}/${name}`,
  }
}
