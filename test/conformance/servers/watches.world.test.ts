import { describe, expect, test } from '@jest/globals'
import type { RawClient } from '../../../packages/embedded-zookeeper/test/raw-client.ts'
import { onWire } from './on-wire.ts'
import { addWatchModes, ask, body, dataAndStat, errors, events, modes, hear, watcherTypes } from './wire.ts'

/** The events that a client got, as `event path`, below its root. */
function heard(client: RawClient, at: string): string[] {
  const names = new Map<number, string>(Object.entries(events).map(([name, type]) => [type, name]))
  return client.notifications.map(({ type, path }) => `${names.get(type) ?? type} ${path.slice(at.length)}`)
}

/** Every event for this client because of writes that are answered has come when this resolves. */
async function caughtUp(client: RawClient, at: string): Promise<void> {
  await hear(client, body.sync(at))
  await hear(client, body.exists(at))
}

describe('one-shot watches', () => {
  test.concurrent(
    'the notification precedes the answer of the write that causes it, and it comes once',
    onWire(async (client, at) => {
      await hear(client, body.getData(at, true))
      await hear(client, body.setData(at, 'one'))
      await hear(client, body.setData(at, 'two'))
      const order = client.packets.slice(-3).map(({ kind }) => kind)
      expect(order).toEqual(['notification', 'reply', 'reply'])
      expect(heard(client, at)).toEqual(['changed '])
    }),
  )

  test.concurrent(
    'a watcher hears before it can read the new state',
    onWire(async (writer, at, { raw }) => {
      const watcher = await raw({}, 1)
      await hear(watcher, body.sync(at))
      await hear(watcher, body.getData(at, true))
      const before = watcher.packets.length
      await hear(writer, body.setData(at, 'new'))
      while ((await ask(watcher, body.getData(at), dataAndStat)).value.data !== 'new')
        await hear(watcher, body.sync(at))
      const since = watcher.packets.slice(before)
      expect(since.findIndex(({ kind }) => kind === 'notification')).toBeLessThan(since.length - 1)
      expect(heard(watcher, at)).toEqual(['changed '])
    }),
  )

  test.concurrent.each([
    ['exists of an absent node: its creation', 'exists', ['created /x']],
    ['exists of a node: its change, its deletion once', 'existsThere', ['changed /y']],
    ['getData: its deletion', 'dataDeleted', ['deleted /y']],
    ['getChildren: a child more, not a change of data', 'children', ['children ']],
    ['getChildren: its own deletion', 'childrenDeleted', ['deleted /y']],
    ['all three on one node: its deletion once', 'all', ['deleted /y']],
  ] as const)('%s', async (_, which, expected) =>
    onWire(async (client, at) => {
      const [x, y] = [`${at}/x`, `${at}/y`]
      await hear(client, body.create(y))
      const stories: Record<typeof which, readonly Parameters<typeof hear>[1][]> = {
        exists: [body.exists(x, true), body.create(x), body.setData(x, '1')],
        existsThere: [body.exists(y, true), body.setData(y, '1'), body.delete(y)],
        dataDeleted: [body.getData(y, true), body.create(`${y}/z`), body.delete(`${y}/z`), body.delete(y)],
        children: [body.getChildren2(at, true), body.setData(at, '1'), body.create(x), body.delete(x)],
        childrenDeleted: [body.getChildren(y, true), body.delete(y)],
        all: [body.exists(y, true), body.getData(y, true), body.getChildren(y, true), body.delete(y)],
      }
      for (const request of stories[which]) await hear(client, request)
      await caughtUp(client, at)
      expect(heard(client, at)).toEqual(expected)
    })(),
  )

  test.concurrent(
    'of one transaction: in the order of its operations',
    onWire(async (client, at) => {
      for (const name of ['a', 'b', 'c']) {
        await hear(client, body.create(`${at}/${name}`))
        await hear(client, body.getData(`${at}/${name}`, true))
      }
      await hear(client, body.getChildren(at, true))
      await hear(client, body.multi(body.setData(`${at}/c`, ''), body.delete(`${at}/a`), body.setData(`${at}/b`, '')))
      await caughtUp(client, at)
      expect(heard(client, at)).toEqual(['changed /c', 'deleted /a', 'children ', 'changed /b'])
    }),
  )

  test.concurrent(
    'of the writes of one client: in their order, at every watcher',
    onWire(async (client, at, { raw }) => {
      const names = Array.from({ length: 30 }, (_, index) => `${at}/${index}`)
      const watcher = await raw({}, 1)
      for (const name of names) await hear(watcher, body.exists(name, true))
      await Promise.all(names.map((name) => hear(client, body.create(name))))
      await caughtUp(watcher, at)
      expect(heard(watcher, at)).toEqual(names.map((name) => `created ${name.slice(at.length)}`))
    }),
  )

  test.concurrent(
    'a node that its watcher may not read: notified of its creation or not, alike everywhere',
    onWire(async (client, at, { raw }) => {
      const other = await raw()
      await hear(client, body.auth('digest', 'ann:secret'))
      for (const one of [client, other]) await hear(one, body.exists(`${at}/secret`, true))
      await hear(client, body.create(`${at}/secret`, { acl: [{ permissions: 31, scheme: 'auth', id: '' }] }))
      await caughtUp(other, at)
      expect(heard(client, at)).toEqual(['created /secret'])
      expect(heard(other, at)).toEqual([])
    }),
  )
})

describe('persistent watches', () => {
  test.concurrent(
    'persistent: every change of data and children of its node, for ever',
    onWire(async (client, at) => {
      await hear(client, body.addWatch(`${at}/a`, addWatchModes.persistent))
      await hear(client, body.create(`${at}/a`))
      await hear(client, body.setData(`${at}/a`, '1'))
      await hear(client, body.setData(`${at}/a`, '2'))
      await hear(client, body.create(`${at}/a/x`))
      await hear(client, body.setData(`${at}/a/x`, '1'))
      await hear(client, body.delete(`${at}/a/x`))
      await hear(client, body.delete(`${at}/a`))
      await hear(client, body.create(`${at}/a`))
      expect(heard(client, at)).toEqual([
        ...['created /a', 'changed /a', 'changed /a', 'children /a', 'children /a', 'deleted /a', 'created /a'],
      ])
    }),
  )

  test.concurrent(
    'recursive: creation, change and deletion of every node below, no changes of children',
    onWire(async (client, at) => {
      await hear(client, body.addWatch(at, addWatchModes.recursive))
      await hear(client, body.create(`${at}/a`))
      await hear(client, body.create(`${at}/a/b`))
      await hear(client, body.setData(`${at}/a/b`, '1'))
      await hear(client, body.delete(`${at}/a/b`))
      await hear(client, body.setData(at, '1'))
      expect(heard(client, at)).toEqual(['created /a', 'created /a/b', 'changed /a/b', 'deleted /a/b', 'changed '])
    }),
  )

  test.concurrent(
    'a one-shot watch on the same node takes its place (ZooKeeper keeps one mode for a client and a node)',
    onWire(async (client, at) => {
      await hear(client, body.addWatch(at, addWatchModes.persistent))
      await hear(client, body.getData(at, true))
      await hear(client, body.setData(at, '1'))
      await hear(client, body.setData(at, '2'))
      expect(heard(client, at)).toEqual(['changed '])
    }),
  )

  test.concurrent(
    'removeWatches and checkWatches: what is removed fires no more; what never was is no watcher',
    onWire(async (client, at) => {
      await hear(client, body.addWatch(at, addWatchModes.recursive))
      await hear(client, body.getData(at, true))
      const errorsOf = async (...asked: Parameters<typeof hear>[1][]): Promise<number[]> => {
        const found = []
        for (const request of asked) found.push((await hear(client, request)).error)
        return found
      }
      expect(
        await errorsOf(
          body.checkWatches(at, watcherTypes.any),
          body.removeWatches(at, watcherTypes.any),
          body.checkWatches(at, watcherTypes.any),
          body.removeWatches(at, watcherTypes.any),
        ),
      ).toEqual([errors.ok, errors.ok, errors.noWatcher, errors.noWatcher])
      await hear(client, body.setData(at, '1'))
      await hear(client, body.create(`${at}/a`))
      expect(heard(client, at)).toEqual([])
    }),
  )
})

describe('watches over a reconnect', () => {
  test.concurrent(
    'setWatches: what was missed is reported at once, the rest stays',
    onWire(async (client, at, { raw }) => {
      const names = ['same', 'changed', 'deleted', 'parent', 'calm'].map((name) => `${at}/${name}`)
      const [same = '', changed = '', deleted = '', parent = '', calm = ''] = names
      const [absent, born] = [`${at}/absent`, `${at}/born`]
      for (const name of names) await hear(client, body.create(name))
      const { zxid } = await hear(client, body.exists(at))
      const other = await raw()
      client.destroy()
      await hear(other, body.setData(changed, '1'))
      await hear(other, body.delete(deleted))
      await hear(other, body.create(`${parent}/x`))
      const last = await hear(other, body.create(born))
      const again = await raw({ ...client.session, lastZxidSeen: zxid }, 1)
      await hear(again, body.sync(at))
      await hear(again, body.setWatches(zxid, [same, changed, deleted], [absent, born], [parent, calm, deleted]))
      const missed = heard(again, at)
      expect(missed.toSorted()).toEqual([
        ...['changed /changed', 'children /parent', 'created /born', 'deleted /deleted', 'deleted /deleted'],
      ])
      await hear(other, body.setData(same, '1'))
      await hear(other, body.create(`${calm}/x`))
      expect((await hear(other, body.create(absent))).zxid).toBeGreaterThan(last.zxid)
      await caughtUp(again, at)
      expect(heard(again, at).slice(missed.length)).toEqual(['changed /same', 'children /calm', 'created /absent'])
    }),
  )

  test.concurrent(
    'setWatches2: persistent watches stand again',
    onWire(async (client, at, { raw }) => {
      const { zxid } = await hear(client, body.create(`${at}/a`))
      client.destroy()
      const again = await raw({ ...client.session, lastZxidSeen: zxid })
      await hear(again, body.setWatches2(zxid, [], [], [], [`${at}/a`], [`${at}/a`, `${at}/b`]))
      for (const request of [body.setData(`${at}/a`, '1'), body.create(`${at}/b`), body.create(`${at}/b/c`)])
        await hear(again, request)
      expect(heard(again, at)).toEqual(['changed /a', 'created /b', 'created /b/c'])
    }),
  )

  test.concurrent(
    'watches end with their connection',
    onWire(async (client, at, { raw }) => {
      await hear(client, body.getData(at, true))
      client.destroy()
      const again = await raw(client.session)
      await hear(again, body.setData(at, '1'))
      await caughtUp(again, at)
      expect(heard(again, at)).toEqual([])
    }),
  )

  test.concurrent(
    'an ephemeral that goes with its session is reported as deleted, to its parent as a change of children',
    onWire(async (client, at, { raw }) => {
      const dying = await raw()
      await hear(dying, body.create(`${at}/e`, { mode: modes.ephemeral }))
      await hear(client, body.sync(at))
      await hear(client, body.exists(`${at}/e`, true))
      await hear(client, body.getChildren(at, true))
      await hear(dying, body.closeSession())
      await caughtUp(client, at)
      expect(heard(client, at)).toEqual(['deleted /e', 'children '])
    }),
  )
})
