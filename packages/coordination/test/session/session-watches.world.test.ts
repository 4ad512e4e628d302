import { describe, expect, test } from '@jest/globals'
import type { WatchEvent } from '../../src/session/contract/session.ts'
import { followChildren } from '../../src/following/follow-children.ts'
import { followValue } from '../../src/following/follow-value.ts'
import { bytes, ending, inWorld, text, Heard } from '../world/world.ts'

/** What was reported, short: "created /a". Paths without the root. */
function listening(root: string): { readonly heard: Heard<string>; readonly listen: (event: WatchEvent) => void } {
  const heard = new Heard<string>()
  const listen = ({ type, path }: WatchEvent): void => {
    heard.hear(`${type} ${path.replace(root, '') || '.'}`)
  }
  return { heard, listen }
}

describe('addWatch', () => {
  test.concurrent(
    'recursive: reports everything at and below, as often as it happens; nothing after remove',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const other = (await open()).session
      const { heard, listen } = listening(root)
      const watch = await session.addWatch(root, listen, { recursive: true })
      await other.create(`${root}/a`, bytes(''))
      await other.create(`${root}/a/b`, bytes(''))
      await other.set(`${root}/a/b`, bytes('1'), 'any')
      await other.set(`${root}/a/b`, bytes('2'), 'any')
      await other.deleteTree(`${root}/a`)
      await other.set(root, bytes('x'), 'any')
      await heard.first((one) => one === 'changed .')
      expect(heard.all).toEqual([
        ...['created /a', 'created /a/b', 'changed /a/b', 'changed /a/b'],
        ...['deleted /a/b', 'deleted /a', 'changed .'],
      ])
      await watch.remove()
      await watch.remove()
      await other.create(`${root}/late`, bytes(''))
      await session.sync(root)
      await session.exists(root)
      expect(heard.all).toHaveLength(7)
    }),
  )

  test.concurrent(
    'persistent: reports the node and its children, also through its deletion and creation',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const { heard, listen } = listening(root)
      await using watch = await session.addWatch(`${root}/p`, listen)
      expect(watch.path).toBe(`${root}/p`)
      for (const round of [1, 2]) {
        await session.create(`${root}/p`, bytes(String(round)))
        await session.create(`${root}/p/c`, bytes(''))
        await session.create(`${root}/p/c/deep`, bytes(''))
        await session.set(`${root}/p`, bytes('x'), 0)
        await session.deleteTree(`${root}/p`)
      }
      const round = ['created /p', 'children-changed /p', 'changed /p', 'children-changed /p', 'deleted /p']
      expect(heard.all).toEqual([...round, ...round])
    }),
  )

  test.concurrent(
    'is restored after a reconnect, notified what may have been missed, and lost with its session',
    inWorld(async ({ session: open, root, expire }) => {
      const client = await open()
      const other = (await open()).session
      const { session, network, reaches } = client
      const tree = listening(root)
      const node = listening(root)
      const once = listening(root)
      await session.addWatch(root, tree.listen, { recursive: true })
      await session.addWatch(`${root}/n`, node.listen)
      await session.exists(`${root}/n`, { watch: once.listen })
      network.weather = 'refusing'
      await reaches('suspended')
      await other.create(`${root}/n`, bytes('unheard'))
      network.weather = 'through'
      await reaches('connected')
      await once.heard.first((one) => one === 'created /n') // reads miss nothing
      await other.set(`${root}/n`, bytes('heard'), 0)
      await tree.heard.first((one) => one === 'changed /n')
      await node.heard.first((one) => one === 'changed /n')
      expect(tree.heard.all[0]).toBe('missed .')
      expect(node.heard.all[0]).toBe('missed /n')
      await expire(client)
      await reaches('lost')
      await reaches('connected')
      expect(tree.heard.last).toBe('session-lost .')
      expect(node.heard.last).toBe('session-lost /n')
      expect(once.heard.all).toEqual(['created /n'])
      await other.set(`${root}/n`, bytes('x'), 1)
      await session.sync(root)
      expect(tree.heard.last).toBe('session-lost .')
    }),
  )

  test.concurrent(
    'and reads that watch the same node take nothing from each other',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const other = (await open()).session
      await session.create(`${root}/n`, bytes(''))
      const [stays, data, children] = [listening(root), listening(root), listening(root)]
      const before = listening(root)
      await session.children(`${root}/n`, { watch: before.listen })
      const watch = await session.addWatch(`${root}/n`, stays.listen)
      await session.get(`${root}/n`, { watch: data.listen })
      await session.children(`${root}/n`, { watch: children.listen })
      await other.set(`${root}/n`, bytes('1'), 0)
      await other.set(`${root}/n`, bytes('2'), 1)
      await other.create(`${root}/n/c`, bytes(''))
      await other.create(`${root}/n/d`, bytes(''))
      await session.sync(root)
      expect(stays.heard.all).toEqual(['changed /n', 'changed /n', 'children-changed /n', 'children-changed /n'])
      expect(data.heard.all).toEqual(['changed /n'])
      expect(children.heard.all).toEqual(['children-changed /n'])
      expect(before.heard.all).toEqual(['children-changed /n'])
      await session.get(`${root}/n`, { watch: data.listen })
      await watch.remove() // the read still needs it
      await other.set(`${root}/n`, bytes('3'), 2)
      await data.heard.first((one) => one === 'changed /n')
      await session.sync(root)
      expect(data.heard.all).toEqual(['changed /n', 'changed /n'])
      expect(stays.heard.all).toHaveLength(4)
    }),
  )

  test.concurrent(
    'recursive and persistent on one node: both are reported, each in its way',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const [tree, node] = [listening(root), listening(root)]
      await session.addWatch(root, node.listen)
      const below = await session.addWatch(root, tree.listen, { recursive: true })
      await session.create(`${root}/a`, bytes(''))
      await session.create(`${root}/a/b`, bytes(''))
      await session.set(root, bytes('x'), 'any')
      expect(tree.heard.all).toEqual(['created /a', 'created /a/b', 'changed .'])
      expect(node.heard.all).toEqual(['children-changed .', 'changed .'])
      await below.remove()
      await session.delete(`${root}/a/b`, 'any')
      await session.delete(`${root}/a`, 'any')
      expect(tree.heard.all).toHaveLength(3)
      expect(node.heard.last).toBe('children-changed .')
    }),
  )
})

describe('unwatch', () => {
  test.concurrent(
    'leaves no watch on the server, unless others listen there',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      await session.create(`${root}/n`, bytes(''))
      const [one, two] = [listening(root), listening(root)]
      await session.get(`${root}/n`, { watch: one.listen })
      await session.get(`${root}/n`, { watch: two.listen })
      await session.children(`${root}/n`, { watch: one.listen })
      await session.exists(`${root}/absent`, { watch: one.listen })
      const tree = await session.addWatch(root, one.listen, { recursive: true })
      const again = await session.addWatch(root, two.listen, { recursive: true })
      await session.unwatch(`${root}/n`, one.listen)
      await session.unwatch(`${root}/absent`, one.listen)
      await tree.remove()
      await session.create(`${root}/heard`, bytes(''))
      await session.set(`${root}/n`, bytes('x'), 0)
      expect(one.heard.all).toEqual([])
      expect(two.heard.all).toEqual(['created /heard', 'changed /n', 'changed /n'])
      await session.get(`${root}/n`, { watch: two.listen })
      await again.remove()
      await session.unwatch(`${root}/n`, two.listen)
      const { notifications } = network
      await session.set(`${root}/n`, bytes('y'), 1)
      await session.create(`${root}/n/c`, bytes(''))
      await session.create(`${root}/absent`, bytes(''))
      expect(network.notifications).toBe(notifications)
    }),
  )

  test.concurrent(
    'a read that is under way keeps its watch, one that was given up leaves none',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const [one, two] = [listening(root), listening(root)]
      await session.get(root, { watch: one.listen })
      const reading = session.get(root, { watch: two.listen })
      await session.unwatch(root, one.listen)
      await reading
      await session.set(root, bytes('x'), 'any')
      expect(one.heard.all).toEqual([])
      expect(two.heard.all).toEqual(['changed .'])
      const abort = new AbortController()
      const given = ending(session.children(root, { watch: one.listen, signal: abort.signal }))
      abort.abort()
      expect(await given).toBe('aborted not-done')
      await session.sync(root)
      await session.sync(root) // the removal was sent when the late answer came
      const { notifications } = network
      await session.create(`${root}/c`, bytes(''))
      expect(network.notifications).toBe(notifications)
    }),
  )

  test.concurrent(
    'resolves while the session is cut off, and the watch is not restored',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open()
      const one = listening(root)
      await session.get(root, { watch: one.listen })
      const tree = await session.addWatch(root, one.listen, { recursive: true })
      network.weather = 'refusing'
      await reaches('suspended')
      await session.unwatch(root, one.listen)
      await tree.remove()
      network.weather = 'through'
      await reaches('connected')
      await session.set(root, bytes('x'), 'any')
      await session.create(`${root}/c`, bytes(''))
      expect(network.notifications).toBe(0)
    }),
  )

  test.concurrent(
    'a persistent watch that only served a read is taken back when the read was reported',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const [stays, once] = [listening(root), listening(root)]
      const watch = await session.addWatch(root, stays.listen)
      await session.get(root, { watch: once.listen })
      await watch.remove()
      await session.set(root, bytes('1'), 'any')
      await session.sync(root)
      await session.set(root, bytes('2'), 'any')
      expect(once.heard.all).toEqual(['changed .'])
      expect([stays.heard.all, network.notifications]).toEqual([[], 1])
    }),
  )

  test.concurrent(
    'a follower that is closed leaves no watch behind, also when it is in the midst of a read',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const [values, names] = [new Heard<string>(), new Heard<number>()]
      const value = followValue(session, root, {
        onValue: (data) => {
          values.hear(text(data) ?? 'absent')
        },
      })
      const children = followChildren(session, root, {
        onChildren: ({ length }) => {
          names.hear(length)
        },
      })
      await Promise.all([values.first(() => true), names.first(() => true)])
      const refreshing = ending(value.refresh())
      await Promise.all([value.close(), children.close()])
      expect(await refreshing).toBe('aborted not-done') // its turn was under way
      await session.sync(root)
      await session.sync(root)
      const { notifications } = network
      await session.set(root, bytes('x'), 'any')
      await session.create(`${root}/c`, bytes(''))
      expect(network.notifications).toBe(notifications)
    }),
  )
})
