import type { TreeAnswer } from '@catchment/protocol'

/** Where a group is: which collector serves it and which owns it, if any. */
export interface GroupPlace {
  readonly server: string | undefined
  readonly owner: string | undefined
}

/** Every group of the tree. What a gone collector owns, or was lent to one that is gone, is not served. */
export function placesOf(tree: TreeAnswer): ReadonlyMap<string, GroupPlace> {
  const places = new Map<string, { server: string | undefined; owner: string | undefined }>()
  for (const collector of tree.collectors)
    for (const { group, how } of collector.groups) {
      const place = places.get(group) ?? { server: undefined, owner: undefined }
      if (how !== 'borrowed') place.owner = collector.id
      if (how !== 'lent' && collector.state !== 'gone') place.server = collector.id
      places.set(group, place)
    }
  return places
}
