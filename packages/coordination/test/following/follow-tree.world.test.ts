import { describe, expect, test } from '@jest/globals'
import { followTree, type Tree, type TreeUpdate, type ZooKeeperSession } from '../../src/index.ts'
import { withoutAddWatch } from '../world/without-add-watch.ts'
import { bytes, ending, inWorld, text, Heard } from '../world/world.ts'

const shown = (tree: Tree): string =>
  [...tree]
    .map(([path, { data }]) => `${path.slice(path.lastIndexOf('/') + 1)}=${text(data) ?? ''}`)
    .sort()
    .join(' ')

describe('followTree', () => {
  test.concurrent.each([
    ['a persistent recursive watch', (session: ZooKeeperSession) => session],
    ['watches of reads, where there is no addWatch', withoutAddWatch],
  ])('by %s: absence, creation, change and deletion at any depth', (_name, as) =>
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const heard = new Heard<string>()
      const updates = new Heard<TreeUpdate>()
      const followed = followTree(as(session), `${root}/t`, {
        onTree: (update) => {
          heard.hear(shown(update.tree))
          updates.hear(update)
        },
      })
      await heard.first((tree) => tree === '')
      await session.create(`${root}/t`, bytes('1'))
      await session.create(`${root}/t/a`, bytes('2'))
      await session.create(`${root}/t/a/b`, bytes('3'))
      await heard.first((tree) => tree === 'a=2 b=3 t=1')
      const before = followed.tree.get(`${root}/t/a`)
      await session.set(`${root}/t/a/b`, bytes('4'), 'any')
      await heard.first((tree) => tree === 'a=2 b=4 t=1')
      expect(followed.tree.get(`${root}/t/a`)).toBe(before)
      expect([...(updates.last?.changes.keys() ?? [])]).toEqual([`${root}/t/a/b`])
      await session.deleteTree(`${root}/t/a`)
      expect(shown(await followed.refresh())).toBe('t=1')
      expect([followed.stale, updates.last?.whole]).toEqual([false, true])
      await followed.close()
      expect(await ending(followed.refresh())).toBe('closed not-done')
    })(),
  )

  test.concurrent(
    'stale while cut off; what changed meanwhile is found after the reconnect and in the next session',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
      const other = await open()
      await session.create(`${root}/t`, bytes('1'))
      const heard = new Heard<string>()
      const followed = followTree(session, `${root}/t`, {
        onTree: ({ tree }) => {
          heard.hear(shown(tree))
        },
        onStale: (stale) => {
          heard.hear(stale ? 'stale' : 'fresh')
        },
      })
      await heard.first((what) => what === 'fresh')
      network.weather = 'refusing'
      network.cut()
      await heard.first((what) => what === 'stale')
      await other.session.create(`${root}/t/a`, bytes('2'))
      network.weather = 'through'
      await heard.first((what) => what === 'a=2 t=1')
      network.weather = 'refusing'
      network.cut()
      await reaches('lost')
      expect(followed.stale).toBe(true)
      await other.session.set(`${root}/t/a`, bytes('3'), 'any')
      network.weather = 'through'
      await heard.first((what) => what === 'a=3 t=1')
      await followed.close()
    }),
  )

  test.concurrent(
    'past a limit: stale, refresh() rejects, the last tree stands; smaller again: fresh',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      await session.create(`${root}/t`, bytes('1'))
      await session.create(`${root}/t/a`, bytes('2'))
      const heard = new Heard<boolean>()
      const followed = followTree(session, `${root}/t`, {
        nodesMax: 2,
        bytesMax: 100,
        onTree: () => undefined,
        onStale: heard.hear,
      })
      await heard.first((stale) => !stale)
      await session.create(`${root}/t/b`, bytes('3'))
      await heard.first((stale) => stale)
      expect(followed.tooLarge?.message).toContain('at most 2 nodes')
      expect(await ending(followed.refresh())).toBe('too-large not-done')
      expect(shown(followed.tree)).toBe('a=2 t=1')
      await session.delete(`${root}/t/a`, 'any')
      await heard.first(() => heard.all.length === 3)
      expect([shown(followed.tree), followed.stale, followed.tooLarge]).toEqual(['b=3 t=1', false, undefined])
      await followed.close()
    }),
  )

  test.concurrent(
    'what is not included is neither shown nor counted, with all that is below it',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      for (const name of ['', '/in', '/in/x', '/out', '/out/x']) await session.create(`${root}/t${name}`, bytes('1'))
      const updates = new Heard<TreeUpdate>()
      const followed = followTree(session, `${root}/t`, {
        includes: (path) => path !== `${root}/t/out`,
        nodesMax: 3,
        onTree: updates.hear,
      })
      expect(shown(await followed.refresh())).toBe('in=1 t=1 x=1')
      await session.set(`${root}/t/out/x`, bytes('2'), 'any')
      await session.create(`${root}/t/out/y`, bytes('2'))
      expect((await followed.refresh({ sync: false })).size).toBe(3)
      expect(updates.all.length).toBe(1)
      await session.set(`${root}/t/in/x`, bytes('2'), 'any')
      expect(shown(await followed.refresh({ sync: false }))).toBe('in=1 t=1 x=2')
      await followed.close()
    }),
  )

  test.concurrent(
    'two thousand nodes are read in few requests and delivered at once',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      await session.create(`${root}/t`, bytes(''))
      const names = Array.from({ length: 2_000 }, (_, at) => `${root}/t/${at}`)
      for (let from = 0; from < names.length; from += 500)
        await session.multi(
          names.slice(from, from + 500).map((path) => ({ op: 'create', path, data: bytes('x') }) as const),
        )
      const updates = new Heard<TreeUpdate>()
      const followed = followTree(session, `${root}/t`, { onTree: updates.hear })
      expect((await updates.first(() => true)).tree.size).toBe(2_001)
      expect(updates.all.length).toBe(1)
      await followed.close()
    }),
  )

  test.concurrent(
    'options that are an instance of a class: their callbacks are methods of it',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      for (const name of ['hidden', 'shown']) await session.ensurePath(`${root}/t/${name}`)
      class Options {
        readonly seen: string[] = []
        readonly hidden = `${root}/t/hidden`
        includes(path: string): boolean {
          return path !== this.hidden
        }
        onTree({ tree }: TreeUpdate): void {
          this.seen.push(shown(tree))
        }
      }
      const options = new Options()
      const followed = followTree(session, `${root}/t`, options)
      await followed.refresh()
      expect(options.seen).toEqual(['shown= t='])
      await followed.close()
    }),
  )
})
