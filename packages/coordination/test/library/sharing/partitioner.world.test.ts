import { describe, expect, test } from '@jest/globals'
import type { ZooKeeperSession } from '../../../src/index.ts'
import { joinPartitioner, type OwnedItem, type Partitioner } from '../../../src/recipes.ts'
import { ending, inWorld, Heard } from '../../world/world.ts'

const items = Array.from({ length: 600 }, (_, at) => `item/${at}`)

interface Joined {
  readonly partitioner: Partitioner
  readonly acquired: Heard<readonly OwnedItem[]>
  readonly released: string[]
  readonly lost: Heard<readonly OwnedItem[]>
}

async function join(session: ZooKeeperSession, path: string, id: string): Promise<Joined> {
  const [acquired, lost] = [new Heard<readonly OwnedItem[]>(), new Heard<readonly OwnedItem[]>()]
  const released: string[] = []
  const partitioner = await joinPartitioner(session, {
    path,
    id,
    items,
    onAcquired: acquired.hear,
    onRelease: (owned) => {
      for (const { item, held } of owned) if (held) released.push(item)
    },
    onLost: lost.hear,
  })
  return { partitioner, acquired, released, lost }
}

const has = ({ partitioner, acquired }: Joined, count: number): Promise<unknown> =>
  acquired.first(() => partitioner.owned().length === count)

describe('joinPartitioner', () => {
  test.concurrent(
    'two share the items; only what moves is released, and is held by one at a time',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const first = await join(one.session, `${root}/division`, 'one')
      await has(first, items.length)
      const second = await join(two.session, `${root}/division`, 'two')
      await second.acquired.first(
        () => second.partitioner.owned().length === first.released.length && first.released.length > 0,
      )
      const shared = [...first.partitioner.owned(), ...second.partitioner.owned()].map(({ item }) => item)
      expect(shared.sort()).toEqual([...items].sort())
      expect(first.partitioner.owned().length).toBeLessThanOrEqual(315)
      expect(second.released).toEqual([])
      await second.partitioner.leave()
      await has(first, items.length)
      expect(second.partitioner.owned()).toEqual([])
      await first.partitioner.leave()
      expect((await one.session.children(`${root}/division/items`)).names).toEqual([])
      expect((await one.session.children(`${root}/division/members`)).names).toEqual([])
    }),
  )

  test.concurrent(
    'cut: nothing is held; reconnected in the same session: all of it again, without a call; lost: reported, and joined again',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
      const one = await join(session, `${root}/division`, 'one')
      await has(one, items.length)
      network.weather = 'refusing' // until it has been looked at
      await reaches('suspended')
      expect(one.partitioner.held('item/1')).toBe(false)
      network.weather = 'through'
      await reaches('connected')
      expect(one.partitioner.held('item/1')).toBe(true)
      network.weather = 'refusing'
      network.cut()
      await reaches('lost')
      expect((await one.lost.first(() => true)).length).toBe(items.length)
      expect(one.lost.last?.every(({ signal }) => signal.aborted)).toBe(true)
      network.weather = 'through'
      await has(one, items.length)
      await one.partitioner.leave()
    }),
  )

  test.concurrent(
    'a claim that somebody deletes is lost at once and claimed again with a higher token; items can change',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const one = await join(session, `${root}/division`, 'one')
      await has(one, items.length)
      await session.delete(`${root}/division/items/${encodeURIComponent('item/7')}`, 'any')
      const [lost] = await one.lost.first(() => true)
      const [again] = await one.acquired.first((owned) => owned.length === 1 && owned[0]?.item === 'item/7')
      expect((again?.token ?? 0n) > (lost?.token ?? 0n)).toBe(true)
      one.partitioner.setItems(['item/7', 'other'])
      await has(one, 2)
      expect(one.partitioner.held('other')).toBe(true)
      expect(() => {
        one.partitioner.setItems(['x'.repeat(600)])
      }).toThrow('at most 512 bytes')
      await one.partitioner.leave()
    }),
  )

  test.concurrent(
    'a later one with the same id takes the place; onRelease past its time is not waited for',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const replaced = new Heard<string>()
      const acquired = new Heard<readonly OwnedItem[]>()
      const options = {
        path: `${root}/division`,
        id: 'same',
        items: ['a'],
        releaseTimeoutMs: 20,
        onRelease: () => new Promise<void>(() => undefined),
        onLost: () => undefined,
        onAcquired: acquired.hear,
        onReplaced: (error: Error & { readonly code: string }) => {
          replaced.hear(error.code)
        },
      }
      await joinPartitioner(one.session, options)
      const [old] = await acquired.first(() => true)
      await new Promise((resolve) =>
        one.session.clock.after(2, () => {
          resolve(undefined)
        }),
      )
      const later = await joinPartitioner(two.session, options)
      expect(await replaced.first(() => true)).toBe('refused')
      await acquired.first(() => later.held('a'))
      expect(old?.signal.aborted).toBe(true)
      await later.leave()
      expect(await ending(joinPartitioner(two.session, { ...options, weight: 0 }))).toBe('bad-arguments not-done')
    }),
  )

  test.concurrent(
    'one that comes again under its id with another weight replaces the earlier one, and all divide again by it',
    inWorld(async ({ session: open, root }) => {
      const [one, two, again] = [await open(), await open(), await open()]
      const replaced = new Heard<string>()
      const acquired = new Heard<readonly OwnedItem[]>()
      const of = ({ session }: typeof one, id: string, weight: number): Promise<Partitioner> =>
        joinPartitioner(session, {
          ...{ path: `${root}/division`, id, weight, items, onRelease: () => undefined, onLost: () => undefined },
          onAcquired: acquired.hear,
          onReplaced: ({ code }) => {
            replaced.hear(code)
          },
        })
      const other = await of(one, 'other', 1)
      const before = await of(two, 'twice', 1)
      await acquired.first(() => before.owned().length > 250)
      const heavier = await of(again, 'twice', 3)
      expect(await replaced.first(() => true)).toBe('refused')
      await acquired.first(() => heavier.owned().length > 400)
      expect(other.owned().length).toBeLessThan(200)
      expect((await one.session.children(`${root}/division/members`)).names.sort()).toEqual(['other', 'twice'])
    }),
  )

  test.concurrent(
    'who leaves divides no more',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const joined = await join(session, `${root}/division`, 'one')
      await has(joined, items.length)
      await session.sync(root)
      const children = session.children.bind(session)
      let listed = 0
      session.children = (path, ...call) => {
        if (path === `${root}/division/members`) listed += 1
        return children(path, ...call)
      }
      await joined.partitioner.leave()
      expect({ listed, released: joined.released.length }).toEqual({ listed: 0, released: items.length })
    }),
  )
})
