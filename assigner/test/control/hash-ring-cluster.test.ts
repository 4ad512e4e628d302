import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { weightedRing } from '@catchment/hashing'
import { eventually } from '@catchment/testing'
import { TestCluster } from '../cluster.ts'

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
})

afterEach(async () => {
  await cluster.close()
})

/** The groups that the ring of these collectors, all of one capacity, has at `id`. */
function placesAt(id: string, ids: readonly string[], groups: readonly string[]): string[] {
  const ring = weightedRing(ids.map((each) => ({ id: each, capacity: 1 })))
  return groups.filter((group) => ids[ring.ownerOf(group)] === id).sort()
}

test('an assigner with --redistribution hash-ring creates and lends where the ring has the groups, and says so', async () => {
  const assigner = await cluster.assigner('a1', { redistribution: 'hash-ring' })
  const first = await cluster.collector('c1')
  await cluster.collector('c2')
  await cluster.collector('c3')
  await cluster.sees(assigner, 3)
  const groups = Array.from({ length: 60 }, (_, index) => `g${index}`)
  await cluster.resolve(assigner, { groups: groups.map((group) => ({ group })), waitMs: 10_000 })
  expect(assigner.tree().redistribution).toBe('hash-ring')
  const owned = async (id: string): Promise<string[]> => Object.keys((await cluster.list(id)).owned).sort()
  for (const id of ['c1', 'c2', 'c3'])
    await eventually(`${id} owns its places`, async () =>
      isDeepStrictEqual(await owned(id), placesAt(id, ['c1', 'c2', 'c3'], groups)),
    )
  const lost = await owned('c1')
  await first.stop()
  for (const id of ['c2', 'c3'])
    await eventually(`${id} borrows what the ring without c1 has there`, async () => {
      const borrowed = Object.keys((await cluster.list(id)).borrowed).sort()
      return isDeepStrictEqual(borrowed, placesAt(id, ['c2', 'c3'], lost))
    })
})
