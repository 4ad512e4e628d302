// What a resolve is answered, given what stands. Whether to wait is for the caller to say, who learns what there is to wait for.

import type { ResolveAnswer, ResolveRequest } from '@catchment/protocol'
import type { Standpoint } from '../../tree/decide/serving.ts'

export interface Resolution {
  readonly assigned: ResolveAnswer['assigned']
  readonly pending: ResolveAnswer['pending']
  /** These have no owner yet: to be created. */
  readonly unknown: readonly string[]
  /** These are still with the collector that refused, and it is still where it was looked for. */
  readonly unchanged: readonly string[]
}

/** A name that JavaScript keeps for itself: no record can hold it. */
const impossibleName = '__proto__'

export function resolve(request: ResolveRequest, standpoint: Standpoint): Resolution {
  const assigned: ResolveAnswer['assigned'] = []
  const pending: ResolveAnswer['pending'] = []
  const unknown: string[] = []
  const unchanged: string[] = []
  for (const asked of request.groups) {
    const { group } = asked
    const server = standpoint.index.serverOf(group)
    const view = server === undefined ? undefined : standpoint.collectors.get(server)
    if (server !== undefined && view?.status !== undefined && view.living) {
      assigned.push({ group, collector: server, url: view.status.url, epoch: view.list.epoch })
      if (asked.refusedBy === server && isThere(asked.refusedUrl, view.status.url)) unchanged.push(group)
    } else {
      const known = standpoint.index.isKnown(group)
      if (!known && group !== impossibleName) unknown.push(group)
      pending.push({ group, reason: reasonOf(group, known ? server : undefined, known, standpoint) })
    }
  }
  return { assigned, pending, unknown, unchanged }
}

/** A collector that was looked for elsewhere has started again meanwhile: the answer says where. */
function isThere(lookedFor: string | undefined, url: string): boolean {
  return lookedFor === undefined || lookedFor === url
}

/** The newest epoch that the agent says it has seen. */
export function newestEpoch(request: ResolveRequest): number {
  return request.groups.reduce((newest, { epoch }) => Math.max(newest, epoch ?? 0), 0)
}

function reasonOf(group: string, server: string | undefined, known: boolean, standpoint: Standpoint): string {
  if (group === impossibleName) return `a group cannot be called ${impossibleName}: give it another name`
  if (standpoint.frozen !== undefined) return standpoint.frozen
  const living = [...standpoint.collectors.values()].filter((view) => view.living)
  if (living.length === 0) return 'no collector is there'
  if (server !== undefined) return `${server} serves it and is away; it is about to be lent`
  if (known) return 'its owner is away; it is about to be lent'
  if (living.every(({ admin }) => admin !== 'serve')) return 'every collector is cordoned or drained'
  return 'it is new and about to be assigned'
}
