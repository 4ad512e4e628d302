import type { TreeAnswer, TreeGroup } from '@catchment/protocol'

const capacity = { bytesPerSecond: 50_000_000, recordsPerSecond: 1_000_000 }

export function group(name: string, bytesPerSecond: number, rest: Partial<TreeGroup> = {}): TreeGroup {
  const load = { bytesPerSecond, recordsPerSecond: bytesPerSecond / 100 }
  return { group: name, how: 'owned', since: 3, load, ...rest }
}

/** Two collectors that serve: c1 with two groups, c2 with one. */
export const even: TreeAnswer = {
  root: '/logs',
  epoch: 11,
  at: 0,
  ageMs: 20,
  answeredBy: 'a1',
  leader: { id: 'a1', term: 3, url: 'http://127.0.0.1:7070', at: 0 },
  assigners: [
    { id: 'a1', url: 'http://127.0.0.1:7070', leads: true },
    { id: 'a2', url: 'http://127.0.0.1:7071', leads: false },
  ],
  redistribution: 'local',
  imbalance: 1.2,
  collectors: [
    {
      id: 'c1',
      state: 'serving',
      admin: 'serve',
      url: 'http://127.0.0.1:4001',
      zone: 'default',
      capacity,
      load: { bytesPerSecond: 1_200_000, recordsPerSecond: 12_000 },
      pressure: 1.2,
      listEpoch: 11,
      groups: [group('app.log', 1_000_000), group('web/0', 200_000)],
    },
    {
      id: 'c2',
      state: 'serving',
      admin: 'cordon',
      url: 'http://127.0.0.1:4002',
      zone: 'default',
      capacity,
      load: { bytesPerSecond: 640, recordsPerSecond: 6.4 },
      pressure: 0.8,
      listEpoch: 9,
      groups: [group('db.log', 640)],
    },
  ],
}

/** The same after c2 has died: its group is on loan. */
export const lent: TreeAnswer = {
  ...even,
  epoch: 12,
  collectors: even.collectors.map((collector) =>
    collector.id === 'c1'
      ? {
          ...collector,
          groups: [...collector.groups, group('db.log', 640, { how: 'borrowed', peer: 'c2', since: 12 })],
        }
      : {
          id: 'c2',
          state: 'gone',
          admin: 'serve',
          listEpoch: 12,
          groups: [{ group: 'db.log', how: 'lent', peer: 'c1', since: 12 }],
        },
  ),
}

/** The same before anyone serves what c2 owns. */
export const unserved: TreeAnswer = {
  ...even,
  collectors: even.collectors.map((collector) =>
    collector.id === 'c1' ? collector : { ...collector, state: 'gone', admin: 'serve' },
  ),
}
