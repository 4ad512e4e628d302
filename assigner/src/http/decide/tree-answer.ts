import {
  znodeBytesMax,
  type CollectorList,
  type Leader,
  type Load,
  type Problem,
  type TreeAnswer,
  type TreeCollector,
  type TreeGroup,
} from '@catchment/protocol'
import { loadOf, pressuresOf } from '../../control/decide/standing.ts'
import { listsOf, type CollectorView, type ClusterView } from '../../tree/decide/cluster-view.ts'

export interface TreeAbout {
  readonly root: string
  readonly epoch: number
  readonly at: number
  readonly ageMs: number
  readonly answeredBy: string
  readonly leader: Leader | undefined
  readonly assigners: readonly { readonly id: string; readonly url: string }[]
  readonly frozen: string | undefined
  readonly problems: readonly Problem[]
}

/** A list this full has room for few groups more. */
const listFullRatio = 0.9
const unreadableShownMax = 5

/** What in the tree itself keeps groups from being placed. */
export function treeProblems(tree: {
  readonly unreadable: readonly string[]
  readonly outgrown: string | undefined
  readonly collectors: ReadonlyMap<string, { readonly listBytes: number }>
}): Problem[] {
  const unreadable = tree.unreadable.slice(0, unreadableShownMax).map((path) => ({
    what: `nothing is planned, because ${path} in the tree cannot be understood`,
    todo: 'repair or delete that znode; a list that is deleted is made again, and its groups when agents ask for them',
  }))
  const full = [...tree.collectors].flatMap(([id, { listBytes }]) =>
    listBytes < listFullRatio * znodeBytesMax
      ? []
      : {
          what: `the list of collector ${id} is nearly full: ${Math.round(listBytes / 1024)} of ${znodeBytesMax / 1024} KiB; what does not fit is not placed there`,
          todo: 'add collectors, or name groups by what is few',
        },
  )
  return [...(tree.outgrown === undefined ? [] : [outgrownProblem(tree.outgrown)]), ...unreadable, ...full]
}

function outgrownProblem(limits: string): Problem {
  return {
    what: `nothing is planned, because the tree has outgrown what an assigner follows (${limits}); this is what it was before`,
    todo: 'forget collectors that are gone, or name groups by what is few',
  }
}

/** The assignment as people see it: each group below its server, and below its owner while that one is away. */
export function treeAnswer(cluster: ClusterView, about: TreeAbout): TreeAnswer {
  const pressure = pressuresOf(cluster, listsOf(cluster))
  const collectors = [...cluster.collectors.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((view) => treeCollector(view, pressure.get(view.id), cluster.loads))
  const { leader, frozen, assigners, problems, ...plain } = about
  return {
    ...plain,
    ...(leader !== undefined && { leader }),
    assigners: assigners.map(({ id, url }) => ({ id, url, leads: id === leader?.id })),
    redistribution: cluster.redistribution,
    imbalance: Math.max(0, ...pressure.values()),
    ...(frozen !== undefined && { frozen }),
    ...(problems.length > 0 && { problems: [...problems] }),
    collectors,
  }
}

function treeCollector(
  view: CollectorView,
  pressure: number | undefined,
  loads: ReadonlyMap<string, Load>,
): TreeCollector {
  const { status } = view
  return {
    id: view.id,
    state: status === undefined || (!view.living && status.state === 'serving') ? 'gone' : status.state,
    admin: view.admin,
    ...(status !== undefined && {
      url: status.url,
      zone: status.zone,
      capacity: status.capacity,
      load: status.load,
      appliedEpoch: status.appliedEpoch,
    }),
    ...(pressure !== undefined && { pressure }),
    listEpoch: view.list.epoch,
    groups: treeGroups(view.list, loads),
  }
}

function treeGroups(list: CollectorList, loads: ReadonlyMap<string, Load>): TreeGroup[] {
  const groups: TreeGroup[] = []
  const load = (group: string, loadClass: number): { load?: Load } => {
    const known = loadOf(loads, group, loadClass)
    if (known === undefined) return {}
    return { load: Number.isNaN(known.recordsPerSecond) ? { ...known, recordsPerSecond: 0 } : known }
  }
  for (const [group, { since, load: loadClass }] of Object.entries(list.owned))
    groups.push({ group, how: 'owned', since, ...load(group, loadClass) })
  for (const [group, { from, since }] of Object.entries(list.borrowed))
    groups.push({ group, how: 'borrowed', peer: from, since, ...load(group, 0) })
  for (const [group, { to, since }] of Object.entries(list.lent))
    groups.push({ group, how: 'lent', peer: to, since, ...load(group, 0) })
  return groups.sort((a, b) => (a.group < b.group ? -1 : 1))
}
