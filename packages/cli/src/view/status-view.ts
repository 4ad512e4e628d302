// The cluster in a few lines: what is wrong first, with what to do about it.

import type { CollectorStatusAnswer, TreeAnswer, TreeCollector } from '@catchment/protocol'
import type { Palette } from './palette.ts'
import { placesOf } from './places.ts'
import { table } from './table.ts'
import { ratio } from './tree-view.ts'
import { counted, humanBytes, humanCount, humanDuration, humanLineRate, humanRate } from './units.ts'

/** What a collector answered, or why it did not. */
export interface CollectorReport {
  readonly id: string
  readonly status: CollectorStatusAnswer | undefined
  readonly failure: string | undefined
}

export interface Status {
  readonly problems: readonly { readonly what: string; readonly todo: string }[]
  readonly leader: string | undefined
  readonly standbys: number
  readonly collectorsServing: number
  readonly collectorsGone: number
  readonly groups: number
  readonly groupsUnserved: number
  readonly bytesPerSecond: number
  readonly recordsPerSecond: number
  readonly disks: readonly {
    readonly id: string
    readonly dataBytes: number
    readonly dataBytesMax: number
    readonly undeliveredBytes: number
  }[]
}

const staleAfterMs = 10_000
/** A disk this full is a problem: what comes after is back-pressure. */
const diskFullRatio = 0.9

export function statusOf(tree: TreeAnswer, reports: readonly CollectorReport[]): Status {
  const places = placesOf(tree)
  const unserved = [...places.values()].filter(({ server }) => server === undefined).length
  const alive = tree.collectors.filter(({ state }) => state !== 'gone')
  const sum = (of: (collector: TreeCollector) => number): number => alive.reduce((total, one) => total + of(one), 0)
  return {
    problems: [...clusterProblems(tree, unserved), ...collectorProblems(tree), ...reportProblems(reports)],
    leader: tree.leader?.id,
    standbys: tree.assigners.filter(({ leads }) => !leads).length,
    collectorsServing: tree.collectors.filter(({ state }) => state === 'serving').length,
    collectorsGone: tree.collectors.length - alive.length,
    groups: places.size,
    groupsUnserved: unserved,
    bytesPerSecond: sum(({ load }) => load?.bytesPerSecond ?? 0),
    recordsPerSecond: sum(({ load }) => load?.recordsPerSecond ?? 0),
    disks: reports.flatMap(({ id, status }) => (status === undefined ? [] : [{ id, ...status.disk }])),
  }
}

export function statusLines(tree: TreeAnswer, status: Status, palette: Palette): string[] {
  const { leader } = tree
  const lines =
    status.problems.length === 0
      ? [palette.good('All is well.')]
      : status.problems.flatMap(({ what, todo }) => [palette.bad(`problem: ${what}`), `         ${todo}`])
  return [
    ...lines,
    '',
    ...table([
      [
        'leader',
        leader === undefined
          ? 'none'
          : `${leader.id}, term ${leader.term}, ${leader.url} (${counted(status.standbys, 'standby', 'standbys')})`,
      ],
      ['collectors', `${status.collectorsServing} serving, ${status.collectorsGone} gone`],
      ['groups', `${humanCount(status.groups)}, ${humanCount(status.groupsUnserved)} unserved; epoch ${tree.epoch}`],
      [
        'load',
        `${humanRate(status.bytesPerSecond)}, ${humanLineRate(status.recordsPerSecond)}; imbalance ${ratio(tree.imbalance)} (1 is even)`,
      ],
      ...status.disks.map((disk, index) => [
        index === 0 ? 'disk' : '',
        `${disk.id}: ${humanBytes(disk.dataBytes)} of ${humanBytes(disk.dataBytesMax)}, ${humanBytes(disk.undeliveredBytes)} not delivered yet`,
      ]),
    ]),
  ]
}

function clusterProblems(tree: TreeAnswer, unserved: number): Status['problems'] {
  const problems: { what: string; todo: string }[] = []
  if (tree.leader === undefined)
    problems.push({ what: 'no assigner leads: nothing moves', todo: 'start an assigner, or check its log' })
  if (tree.ageMs > staleAfterMs)
    problems.push({
      what: `${tree.answeredBy} has not read the tree for ${humanDuration(tree.ageMs)}: the rest of this is old`,
      todo: 'check that ZooKeeper runs; logs of assigned groups keep flowing meanwhile',
    })
  if (tree.frozen !== undefined)
    problems.push({
      what: `the assignment is frozen: ${tree.frozen}`,
      todo: 'bring the collectors back, or continue without them: catchment rebalance --mode local',
    })
  problems.push(...(tree.problems ?? []))
  if (tree.collectors.every(({ state }) => state === 'gone'))
    problems.push({ what: 'no collector runs: nothing is collected', todo: 'start one: catchment collector …' })
  else if (unserved > 0)
    problems.push({
      what: `${counted(unserved, 'group is', 'groups are')} served by no collector; the lines wait in the files`,
      todo: 'an assigner should place them within seconds; if it does not, check the log of the leader',
    })
  return problems
}

function collectorProblems(tree: TreeAnswer): Status['problems'] {
  return tree.collectors
    .filter(({ state }) => state === 'gone')
    .map(({ id, groups }) => {
      const lent = groups.filter(({ how }) => how === 'lent').length
      return {
        what: `collector ${id} is gone; ${lent === 0 ? 'none of its groups is on loan' : `${counted(lent, 'group')} of it ${lent === 1 ? 'is' : 'are'} on loan`}`,
        todo: `start it again with its data directory: within the grace its groups return to it, and it delivers what it had stored`,
      }
    })
}

function reportProblems(reports: readonly CollectorReport[]): Status['problems'] {
  return reports.flatMap(({ id, status, failure }) => {
    if (status === undefined)
      return [
        {
          what: `collector ${id} does not answer: ${failure ?? 'unknown'}`,
          todo: 'check its log; is it overloaded?',
        },
      ]
    const problems: { what: string; todo: string }[] = []
    if (status.session !== 'connected')
      problems.push({
        what: `collector ${id} is cut off from ZooKeeper (${status.session}): it serves the groups that it last knew`,
        todo: 'check ZooKeeper and the network between them',
      })
    if (status.disk.dataBytesMax > 0 && status.disk.dataBytes >= diskFullRatio * status.disk.dataBytesMax)
      problems.push({
        what: `collector ${id} has filled ${humanBytes(status.disk.dataBytes)} of ${humanBytes(status.disk.dataBytesMax)}`,
        todo: 'delivered segments are deleted first; if the undelivered ones do not shrink, check its sink or raise --disk-max',
      })
    return problems
  })
}
