import { afterEach, describe, expect, test } from '@jest/globals'
import { FakeClock, seededRandom } from '@catchment/testing'
import { errorCode, eventType, type JuteWriter, opcode } from '@catchment/zookeeper-wire'
import { startServer, type ZookeeperServer } from '../src/server/server.ts'
import { WatchTable } from '../src/watches/watch-table.ts'
import { RawClient, writeCreate, type Reply } from './raw-client.ts'

const clients: RawClient[] = []
const servers: ZookeeperServer[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  for (const server of servers.splice(0)) await server.close()
})

interface World {
  readonly server: ZookeeperServer
  readonly client: (session?: RawClient['session']) => Promise<RawClient>
}

async function world(): Promise<World> {
  const listen = { host: '127.0.0.1', port: 0 }
  const server = await startServer({ listen, clock: new FakeClock(), random: seededRandom(1) })
  servers.push(server)
  const client = async (session?: RawClient['session']): Promise<RawClient> => {
    const opened = await RawClient.open(server.port, session)
    clients.push(opened)
    return opened
  }
  return { server, client }
}

const heard = (client: RawClient): [number, string][] => client.notifications.map(({ type, path }) => [type, path])

const paths = (writer: JuteWriter, list: readonly string[]): void => {
  writer.vector(list, list.length, (path) => writer.string(path))
}

const persistent = 0
const recursive = 1
const addWatch = (client: RawClient, path: string, how: number): Promise<Reply> =>
  client.request(opcode.addWatch, (writer) => writer.string(path).int(how))

const kind = { children: 1, data: 2, any: 3 } as const
const removeWatches = async (client: RawClient, path: string, what: number): Promise<number> =>
  (await client.request(opcode.removeWatches, (writer) => writer.string(path).int(what))).error
const checkWatches = async (client: RawClient, path: string, what: number): Promise<number> =>
  (await client.request(opcode.checkWatches, (writer) => writer.string(path).int(what))).error

describe('watches that are set once', () => {
  test('the notification precedes the reply of the operation that caused it', async () => {
    const { client } = await world()
    const one = await client()
    await one.create('/a')
    await one.getData('/a', true)
    await one.setData('/a', 'x')
    await one.setData('/a', 'y')
    expect(one.packets.map(({ kind }) => kind)).toEqual(['reply', 'reply', 'notification', 'reply', 'reply'])
    expect(heard(one)).toEqual([[eventType.dataChanged, '/a']])
  })

  test('who watches data and children hears of a deletion once', async () => {
    const { client } = await world()
    const [one, onlyChildren] = [await client(), await client()]
    await one.create('/a')
    await one.getData('/a', true)
    await one.getChildren('/a', true)
    await one.exists('/a', true)
    await onlyChildren.getChildren('/a', true)
    await one.remove('/a')
    await onlyChildren.exists('/')
    expect([heard(one), heard(onlyChildren)]).toEqual([[[eventType.deleted, '/a']], [[eventType.deleted, '/a']]])
  })

  test('setWatches fires what was missed and watches the rest', async () => {
    const { client } = await world()
    const one = await client()
    for (const path of ['/same', '/changed', '/kids']) await one.create(path)
    const seen = (await one.exists('/')).zxid
    await one.setData('/changed', 'x')
    await one.create('/kids/k')
    await one.create('/born')
    const vector = (writer: JuteWriter, paths: string[]): void => {
      writer.vector(paths, paths.length, (path) => writer.string(path))
    }
    await one.request(opcode.setWatches, (writer) => {
      writer.long(seen)
      vector(writer, ['/same', '/changed', '/gone'])
      vector(writer, ['/born', '/unborn'])
      vector(writer, ['/kids', '/same', '/gone'])
    })
    expect(heard(one)).toEqual([
      [eventType.dataChanged, '/changed'],
      [eventType.deleted, '/gone'],
      [eventType.created, '/born'],
      [eventType.childrenChanged, '/kids'],
      [eventType.deleted, '/gone'],
    ])
    await one.create('/unborn')
    await one.setData('/same', 'x')
    await one.create('/same/x')
    expect(heard(one).slice(5)).toEqual([
      [eventType.created, '/unborn'],
      [eventType.dataChanged, '/same'],
      [eventType.childrenChanged, '/same'],
    ])
  })

  test('who may not read the node hears nothing of it, and the watch is spent', async () => {
    const { client } = await world()
    const [ann, other] = [await client(), await client()]
    await ann.request(opcode.auth, (writer) => writer.int(0).string('digest').buffer(Buffer.from('ann:secret')))
    for (const one of [ann, other]) await one.exists('/secret', true)
    await ann.request(opcode.create, (writer) => {
      writeCreate(writer, '/secret', { acl: [{ permissions: 31, scheme: 'auth', id: '' }] })
    })
    await other.exists('/')
    expect([heard(ann), heard(other)]).toEqual([[[eventType.created, '/secret']], []])
  })

  test('end with their connection', async () => {
    const { server, client } = await world()
    const one = await client()
    await one.exists('/a', true)
    await one.getChildren('/', true)
    server.dropConnections()
    await one.closed
    const two = await client(one.session)
    await two.create('/a')
    expect(two.notifications).toEqual([])
  })
})

describe('addWatch', () => {
  test('persistent: hears of data, children, creation and deletion, again and again', async () => {
    const { client } = await world()
    const one = await client()
    const { error, body } = await addWatch(one, '/a', persistent)
    expect([error, body.int(), body.remaining]).toEqual([0, 0, 0])
    for (const data of ['x', 'y']) {
      await one.create('/a')
      await one.setData('/a', data)
      await one.create('/a/b')
      await one.setData('/a/b', data)
      await one.remove('/a/b')
      await one.remove('/a')
    }
    const round = [
      [eventType.created, '/a'],
      [eventType.dataChanged, '/a'],
      [eventType.childrenChanged, '/a'],
      [eventType.childrenChanged, '/a'],
      [eventType.deleted, '/a'],
    ]
    expect(heard(one)).toEqual([...round, ...round])
  })

  test('recursive: hears of each node below, never that children changed, and of nothing beside', async () => {
    const { client } = await world()
    const one = await client()
    await addWatch(one, '/a', recursive)
    await addWatch(one, '/a/b', recursive)
    for (const path of ['/a', '/ab', '/a/b', '/a/b/c']) await one.create(path)
    await one.setData('/a/b/c', 'x')
    for (const path of ['/a/b/c', '/a/b', '/ab', '/a']) await one.remove(path)
    expect(heard(one)).toEqual([
      [eventType.created, '/a'],
      [eventType.created, '/a/b'],
      [eventType.created, '/a/b/c'],
      [eventType.dataChanged, '/a/b/c'],
      [eventType.deleted, '/a/b/c'],
      [eventType.deleted, '/a/b'],
      [eventType.deleted, '/a'],
    ])
  })

  test('recursive at the root hears of everything', async () => {
    const { client } = await world()
    const one = await client()
    await addWatch(one, '/', recursive)
    await one.create('/a')
    await one.create('/a/b')
    expect(heard(one)).toEqual([
      [eventType.created, '/a'],
      [eventType.created, '/a/b'],
    ])
  })

  test('one watch per path: the mode that was set last counts', async () => {
    const { client } = await world()
    const one = await client()
    await one.create('/a')
    await addWatch(one, '/a', persistent)
    await one.getData('/a', true)
    for (const data of ['x', 'y']) await one.setData('/a', data)
    await one.create('/a/b')
    await one.remove('/a/b')
    expect(heard(one)).toEqual([
      [eventType.dataChanged, '/a'],
      [eventType.childrenChanged, '/a'],
      [eventType.childrenChanged, '/a'],
    ])
  })

  test('another mode is refused', async () => {
    const { client } = await world()
    expect((await addWatch(await client(), '/a', 2)).error).toBe(errorCode.marshallingError)
  })
})

describe('setWatches2', () => {
  test('sets persistent and recursive watches again, without reporting what they missed', async () => {
    const { client } = await world()
    const one = await client()
    await one.create('/p')
    await one.create('/r')
    await one.request(opcode.setWatches2, (writer) => {
      writer.long(0n)
      for (const list of [['/gone'], [], [], ['/p'], ['/r']]) paths(writer, list)
    })
    expect(heard(one)).toEqual([[eventType.deleted, '/gone']])
    for (const path of ['/p/c', '/p/d', '/r/c', '/r/d']) await one.create(path)
    expect(heard(one).slice(1)).toEqual([
      [eventType.childrenChanged, '/p'],
      [eventType.childrenChanged, '/p'],
      [eventType.created, '/r/c'],
      [eventType.created, '/r/d'],
    ])
  })
})

describe('removeWatches and checkWatches', () => {
  test('remove watches of the kind that is named, silently; without any: NOWATCHER', async () => {
    const { client } = await world()
    const one = await client()
    await one.create('/a')
    await one.getData('/a', true)
    await one.getChildren('/a', true)
    expect(await removeWatches(one, '/a', kind.data)).toBe(0)
    expect(await removeWatches(one, '/a', kind.data)).toBe(errorCode.noWatcher)
    expect(await checkWatches(one, '/a', kind.data)).toBe(errorCode.noWatcher)
    expect(await checkWatches(one, '/a', kind.children)).toBe(0)
    expect(await checkWatches(one, '/a', kind.any)).toBe(0)
    await one.setData('/a', 'x')
    await one.create('/a/b')
    expect(heard(one)).toEqual([[eventType.childrenChanged, '/a']])
  })

  test('any removes a persistent watch whole; another kind than the three is refused', async () => {
    const { server, client } = await world()
    const one = await client()
    await addWatch(one, '/a', recursive)
    expect(await removeWatches(one, '/a', kind.any)).toBe(0)
    expect(await removeWatches(one, '/a', kind.any)).toBe(errorCode.noWatcher)
    expect(await removeWatches(one, '/a', 4)).toBe(errorCode.marshallingError)
    await one.create('/a')
    expect(heard(one)).toEqual([])
    expect(server.stats.closed.size).toBe(0)
  })
})

describe('WatchTable', () => {
  test('counts watches, and forgets all of a watcher', () => {
    const table = new WatchTable<string>()
    table.set('/a', 'ann', 'recursive')
    table.set('/a', 'ann', 'once')
    table.set('/b', 'ann', 'recursive')
    table.set('/a', 'bob', 'persistent')
    expect([table.size, table.pathCount, table.watcherCount, table.countOf('ann')]).toEqual([3, 2, 2, 2])
    expect(table.fire({ type: eventType.dataChanged, path: '/a' })).toEqual(new Set(['ann', 'bob']))
    expect(table.fire({ type: eventType.dataChanged, path: '/b/c' })).toEqual(new Set(['ann']))
    table.forget('ann')
    table.forget('bob')
    expect([table.size, table.pathCount, table.watcherCount]).toEqual([0, 0, 0])
    expect(table.fire({ type: eventType.created, path: '/b/c' })).toEqual(new Set())
  })
})
