// A tree and a leader in virtual time: the decisions of the assigner with the transactions as plain assignments.

import { emptyCollectorList, type CollectorList, type CollectorStatus, type Redistribution } from '@catchment/protocol'
import { firstBatch, sortedForBatches } from '../src/tree/decide/batches.ts'
import type { AssignmentChange } from '../src/tree/decide/draft.ts'
import { violations } from '../src/tree/decide/invariant.ts'
import { reconcile, type Allowed, type AssignmentPlan } from '../src/control/decide/reconcile.ts'
import type { CollectorView, ClusterView } from '../src/tree/decide/cluster-view.ts'

export const graceMs = 60_000
const unit = { bytesPerSecond: 1_000_000, recordsPerSecond: 10_000 }

interface SimulatedMember {
  living: boolean
  admin: 'serve' | 'cordon' | 'drain'
}

export function statusOf(id: string, fields: Partial<CollectorStatus> = {}): CollectorStatus {
  return {
    id,
    dataId: `data-of-${id}`,
    starts: 1,
    incarnation: 'one',
    url: 'http://127.0.0.1:1',
    zone: '',
    capacity: unit,
    state: 'serving',
    load: { bytesPerSecond: 0, recordsPerSecond: 0 },
    appliedEpoch: 0,
    reportedAt: 0,
    ...fields,
  }
}

export class SimulatedTree {
  readonly collectors = new Map<string, SimulatedMember>()
  readonly loads = new Map<string, { bytesPerSecond: number; recordsPerSecond: number }>()
  lists = new Map<string, CollectorList>()
  wanted = new Set<string>()
  redistribution: Redistribution = 'local'
  now = 1_000_000
  epoch = 0
  published: AssignmentChange[] = []

  join(id: string): void {
    const admin = this.collectors.get(id)?.admin ?? 'serve'
    this.collectors.set(id, { living: true, admin })
    if (!this.lists.has(id)) this.lists.set(id, emptyCollectorList)
  }

  die(id: string): void {
    const collector = this.collectors.get(id)
    if (collector !== undefined) collector.living = false
  }

  admin(id: string, want: 'serve' | 'cordon' | 'drain'): void {
    const collector = this.collectors.get(id)
    if (collector !== undefined) collector.admin = want
  }

  cluster(): ClusterView {
    const views = new Map<string, CollectorView>()
    for (const [id, list] of this.lists) {
      const { living = false, admin = 'serve' } = this.collectors.get(id) ?? {}
      views.set(id, { id, list, living, awaited: false, admin, status: living ? statusOf(id) : undefined })
    }
    const { loads, redistribution } = this
    return { collectors: views, loads, wanted: [...this.wanted], redistribution, graceMs }
  }

  decide(allowed: Allowed = { join: true, balance: false }): AssignmentPlan {
    return reconcile(this.cluster(), allowed, this.now)
  }

  /**
   * Carries out what is decided; the invariants are checked after each change, as if each were its own transaction.
   * `losesAnswer`: the leader dies after the first half is written.
   */
  settle(allowed?: Allowed, losesAnswer = false): AssignmentChange[] {
    const { changes } = this.decide(allowed)
    const sorted = sortedForBatches(changes)
    const carriedOut = losesAnswer ? sorted.slice(0, Math.ceil(sorted.length / 2)) : sorted
    for (const change of carriedOut) {
      this.epoch += 1
      const batch = firstBatch(this.lists, [change], { epoch: this.epoch, at: this.now }, this.loads)
      this.lists = new Map(batch.lists)
      const wrong = violations(this.lists)
      if (wrong.length > 0) throw new Error(wrong.join('; '))
    }
    for (const { group } of carriedOut) this.wanted.delete(group)
    this.published.push(...carriedOut)
    return carriedOut
  }

  /** Which collector the tree shows as serving the group. */
  servers(group: string): string[] {
    return [...this.lists]
      .filter(([, { owned, borrowed }]) => Object.hasOwn(owned, group) || Object.hasOwn(borrowed, group))
      .map(([id]) => id)
  }

  groups(): Set<string> {
    return new Set(
      [...this.lists.values()].flatMap(({ owned, lent, borrowed }) =>
        [owned, lent, borrowed].flatMap((entries) => Object.keys(entries)),
      ),
    )
  }

  owned(id: string): string[] {
    return Object.keys(this.lists.get(id)?.owned ?? {}).sort()
  }
}

/** A cluster with `groups` groups of equal load on `collectors` collectors, at rest. */
export function clusterOf(collectors: number, groups: number, redistribution: Redistribution = 'local'): SimulatedTree {
  const tree = new SimulatedTree()
  tree.redistribution = redistribution
  for (let index = 0; index < collectors; index += 1) tree.join(`c${index}`)
  for (let index = 0; index < groups; index += 1) {
    tree.wanted.add(`g${index}`)
    tree.loads.set(`g${index}`, { bytesPerSecond: 100, recordsPerSecond: 1 })
  }
  tree.settle()
  return tree
}
